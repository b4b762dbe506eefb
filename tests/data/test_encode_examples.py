"""The rows' encoding is, byte for byte, that of the official protocol buffers."""

import tracemalloc

import numpy as np
import pytest
import tensorflow as tf

from home_tf.data import Column
from home_tf.data.encode_examples import encode_examples

RANDOM = np.random.default_rng(0)
ROWS = 300
# The values around which a varint gets another byte, and the ends of the range.
EDGES = np.array(
    [
        *(2**bits + near for bits in range(7, 63, 7) for near in (-1, 0, 1)),
        *(-(2**bits) + near for bits in range(7, 63, 7) for near in (-1, 0, 1)),
        *(0, 2**63 - 1, -(2**63)),
    ]
)


def official(rows, row):
    """A row as `tf.train.Example`, by protobuf."""
    features = {}
    for name, values in rows.items():
        value = values.reshape(ROWS, -1)[row].tolist()
        if values.dtype == object:
            feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
        elif values.dtype.kind == "f":
            feature = tf.train.Feature(float_list=tf.train.FloatList(value=value))
        else:
            feature = tf.train.Feature(int64_list=tf.train.Int64List(value=value))
        features[name] = feature
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def random_bytes(longest):
    return RANDOM.integers(0, 256, RANDOM.integers(0, longest), np.uint8).tobytes()


def objects(values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (Column("int64"), np.resize(EDGES, ROWS)),
        (Column("int64", (3,)), RANDOM.choice(EDGES, (ROWS, 3))),
        (Column("int32"), RANDOM.integers(-(2**31), 2**31, ROWS).astype("<i4")),
        (Column("int64"), np.zeros(ROWS, "<i8")),
        (Column("float32", (40,)), RANDOM.normal(size=(ROWS, 40)).astype("<f4")),
        (Column("float32"), np.resize(np.array([np.nan, -0.0, 1e-45], "<f4"), ROWS)),
        (Column("string"), objects([random_bytes(300) for _ in range(ROWS)])),
        (Column("string"), objects([b""] * ROWS)),
        (Column("string", (2,)), np.array([[b"a\0", b""], [b"", b"b"]] * 150, object)),
    ],
)
def test_every_type_is_encoded_as_by_protobuf(column, values):
    rows = {"name": values}
    found = list(encode_examples(rows, {"name": column}))
    assert found == [official(rows, row) for row in range(ROWS)]


def test_a_long_string_does_not_pad_all_rows():
    long = objects([b"short"] * (ROWS - 1) + [b"x" * 2**22])
    rows = {"name": long, "number": np.arange(ROWS)}
    columns = {"name": Column("string"), "number": Column("int64")}
    tracemalloc.start()
    found = list(encode_examples(rows, columns))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [official(rows, row) for row in range(ROWS)]
    assert peak < 2**28  # padded, the names alone have 1.2 GB


def test_columns_come_in_the_order_of_their_names():
    names = ["b", "a", "é" * 70, "B", "aa"]  # one is longer than 127 bytes
    columns = {name: Column("int64") for name in names}
    rows = {name: RANDOM.integers(0, 1000, ROWS) for name in names}
    for row, found in enumerate(encode_examples(rows, columns)):
        parsed = tf.train.Example.FromString(found)
        assert parsed == tf.train.Example.FromString(official(rows, row))
        # An entry of the map begins with its key's tag and length.
        places = [found.index(b"\n\x01" + name) for name in (b"B", b"a", b"b")]
        assert places == sorted(places)
        assert len(found) == parsed.ByteSize()
