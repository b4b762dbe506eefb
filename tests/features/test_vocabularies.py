"""Lookups of several features at once, against the lookup layers of Keras."""

import numpy as np
import pytest
import tensorflow as tf

from home_tf.backend import keras
from home_tf.features.vocabularies import (
    DenseVocabularies,
    HashedVocabulary,
    Vocabulary,
)

RANDOM = np.random.default_rng(0)
LARGEST = 2**63 - 1


def layer_of(vocabulary):
    """The layer of Keras that numbers values as they are numbered here."""
    arguments = {
        "vocabulary": list(vocabulary.values),
        "num_oov_indices": vocabulary.oov_buckets,
    }
    if isinstance(vocabulary.values[0], str):
        return keras.layers.StringLookup(
            mask_token="", oov_token="\0out of vocabulary", **arguments
        )
    return keras.layers.IntegerLookup(mask_token=-1, **arguments)


def integers(low, high, number):
    return RANDOM.choice(np.arange(low, high), number, replace=False).tolist()


DENSE = {
    "user": Vocabulary(integers(1000, 2000, 700)),
    "flag": Vocabulary([1, 0]),
    "below_zero": Vocabulary(integers(-50, 50, 60), oov_buckets=3),
    "one": Vocabulary([7], oov_buckets=2),
}
FAR_APART = Vocabulary([5, LARGEST - 1, -(2**40), 12], oov_buckets=2)
TEXT = Vocabulary(["b", "a", "été"])
EXTREMES = [-1, 0, 1, 2, -(2**63), LARGEST, 1999, 2000, 999, -51, 7]


def values_of(shape, dtype):
    found = RANDOM.integers(-60, 2100, shape)
    found.ravel()[: len(EXTREMES)] = EXTREMES if dtype == tf.int64 else 3
    return tf.constant(found, dtype)


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_small_ranges_of_integers(dtype, jit_compile):
    vocabularies = {**DENSE, "friends": DENSE["user"], "seen": DENSE["one"]}
    assert all(one.is_dense for one in vocabularies.values())
    several = {"friends": (40, 3), "flag": (40, 2)}
    columns = {
        name: values_of(several.get(name, (40,)), dtype) for name in vocabularies
    }
    columns["user"] = values_of((40,), tf.int64)
    look_up = tf.function(DenseVocabularies(vocabularies), jit_compile=jit_compile)
    found = look_up(columns)
    assert list(found) == list(columns)
    for name, values in columns.items():
        expected = layer_of(vocabularies[name])(tf.cast(values, tf.int64))
        np.testing.assert_array_equal(found[name], expected, err_msg=name)
        assert int(tf.reduce_max(found[name])) < vocabularies[name].num_ids


def test_values_of_one_row_are_looked_up_beside_those_of_many():
    look_up = DenseVocabularies({**DENSE, "friends": DENSE["user"]})
    rows = {name: values_of((20,), tf.int64) for name in DENSE}
    once = {"flag": tf.constant([1]), "friends": tf.constant([[1500, -1, 3]])}
    found = look_up({**rows, **once})
    for name, values in {**rows, **once}.items():
        layer = layer_of(DENSE["user" if name == "friends" else name])
        np.testing.assert_array_equal(found[name], layer(values), err_msg=name)
    assert found["flag"].shape == (1,)
    assert found["friends"].shape == (1, 3)


@pytest.mark.parametrize("shape", [(30,), (10, 3)])
def test_integers_far_apart(shape):
    assert not FAR_APART.is_dense
    values = RANDOM.choice([*FAR_APART.values, *EXTREMES], shape)
    found = HashedVocabulary(FAR_APART)(tf.constant(values, tf.int64))
    np.testing.assert_array_equal(found, layer_of(FAR_APART)(values))


@pytest.mark.parametrize("buckets", [1, 4])
@pytest.mark.parametrize("shape", [(30,), (10, 3)])
def test_text(shape, buckets):
    vocabulary = Vocabulary(TEXT.values, buckets)
    values = tf.constant(RANDOM.choice([*TEXT.values, "", "c", "ETE", " a"], shape))
    found = HashedVocabulary(vocabulary)(values)
    np.testing.assert_array_equal(found, layer_of(vocabulary)(values))


def test_all_small_ranges_are_one_lookup():
    columns = {name: values_of((20,), tf.int64) for name in DENSE}
    look_up = tf.function(DenseVocabularies(DENSE))
    graph = look_up.get_concrete_function(columns).graph
    kinds = [op.type for op in graph.get_operations()]
    assert kinds.count("GatherV2") == 1
