import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from support.slow import slow_except

from home_tf.data import Column, DatasetDirectory, RecordSchema, RecordWriter
from home_tf.data.schema import fingerprint_file
from home_tf.errors import HomeError

LAYOUTS = ["packed", "rows"]
COLUMNS = {
    "id": Column("int64"),
    "code": Column("int32"),
    "number": Column("float32"),
    "word": Column("string"),
    "ids": Column("int64", (3,)),
    "codes": Column("int32", (2,)),
    "numbers": Column("float32", (2,)),
    "words": Column("string", (2,)),
    "label": Column("float32"),
}


def make_rows(count, start=0):
    number = np.arange(start, start + count)
    words = ["", "fünf", "视频", "a\x00b\x00"]
    return {
        "id": number + 2**40,
        "code": (-number).astype(np.int32),
        "number": (number / 7).astype(np.float32),
        "word": np.array([words[n % 4] for n in number], object),
        "ids": np.stack([number, number - 2**50, np.full(count, -1)], 1),
        "codes": np.stack([number, np.full(count, -1)], 1).astype(np.int32),
        "numbers": np.stack([number * 0.5, number * -0.25], 1).astype(np.float32),
        "words": np.array([[f"w{n}", ""] for n in number], object).reshape(count, 2),
        "label": np.where(number % 3, number % 2, np.nan).astype(np.float32),
    }


def write(folder, count, *, columns=COLUMNS, split="train", **options):
    nullable = ["label"] if "label" in columns else []
    with RecordWriter(folder, columns, nullable=nullable, **options) as writer:
        rows = make_rows(count)
        writer.write(split, {name: rows[name] for name in columns})
    return folder


def write_ids(folder, count, **options):
    return write(folder, count, columns={"id": COLUMNS["id"]}, **options)


def id_batches(folder, *, batch_size=10, **options):
    dataset = DatasetDirectory(folder).read("train", batch_size=batch_size, **options)
    return [(batch["id"].numpy() - 2**40).tolist() for batch in dataset]


def ids(folder, **options):
    return [row for batch in id_batches(folder, **options) for row in batch]


def context(pipelines, pipeline, replicas):
    return tf.distribute.InputContext(
        num_input_pipelines=pipelines,
        input_pipeline_id=pipeline,
        num_replicas_in_sync=replicas,
    )


def edit_schema(folder, change):
    path = folder / "schema.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("compression", [None, "GZIP"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_type_and_shape_comes_back_as_written(tmp_path, layout, compression):
    write(tmp_path, 50, layout=layout, compression=compression, shards=2, block_rows=8)
    batches = list(
        DatasetDirectory(tmp_path).read("train", batch_size=16).as_numpy_iterator()
    )
    found = {name: np.concatenate([b[name] for b in batches]) for name in COLUMNS}
    order = np.argsort(found["id"])
    for name, values in make_rows(50).items():
        if values.dtype == object:
            encoded = [word.encode() for word in values.ravel()]
            values = np.array(encoded, object).reshape(values.shape)
        assert found[name].dtype == values.dtype, name
        np.testing.assert_array_equal(found[name][order], values, err_msg=name)


def test_a_row_record_is_an_example_for_any_reader(tmp_path):
    write(tmp_path, 3, layout="rows", shards=1)
    path = str(tmp_path / "train-00000-of-00001.tfrecord")
    record = list(tf.data.TFRecordDataset(path))[2]
    parsed = tf.io.parse_single_example(
        record,
        {
            "id": tf.io.FixedLenFeature((), tf.int64),
            "codes": tf.io.FixedLenFeature((2,), tf.int64),
            "numbers": tf.io.FixedLenFeature((2,), tf.float32),
            "word": tf.io.FixedLenFeature((), tf.string),
        },
    )
    assert parsed["id"] == 2**40 + 2
    assert parsed["codes"].numpy().tolist() == [2, -1]
    assert parsed["numbers"].numpy().tolist() == [1.0, -0.5]
    assert parsed["word"].numpy().decode() == "视频"


def test_a_packed_record_is_plain_little_endian_arrays(tmp_path):
    write(tmp_path, 5, layout="packed", shards=1)
    path = str(tmp_path / "train-00000-of-00001.tfrecord")
    (record,) = tf.data.TFRecordDataset(path).as_numpy_iterator()
    features = tf.train.Example.FromString(record).features.feature
    assert features["__rows__"].int64_list.value == [5]
    (raw,) = features["ids"].bytes_list.value
    found = np.frombuffer(raw, "<i8").reshape(5, 3)
    np.testing.assert_array_equal(found, make_rows(5)["ids"])
    (raw,) = features["codes"].bytes_list.value
    assert np.frombuffer(raw, "<i4")[:4].tolist() == [0, -1, 1, -1]
    assert list(features["words"].bytes_list.value)[:3] == [b"w0", b"", b"w1"]


def test_the_written_schema_reads_back_with_true_counts(tmp_path):
    write(tmp_path, 21, layout="rows", shards=4, compression="GZIP")
    schema = RecordSchema.load(tmp_path)
    assert (schema.layout, schema.compression) == ("rows", "GZIP")
    assert schema.columns == COLUMNS
    split = schema.splits["train"]
    assert split.rows == 21 == sum(file.rows for file in split.files)
    for file in split.files:
        path = tmp_path / file.name
        records = tf.data.TFRecordDataset(str(path), "GZIP")
        assert file.rows == sum(1 for _ in records)
        assert file.bytes == path.stat().st_size
    content = json.loads((tmp_path / "schema.json").read_text())
    assert (content["format"], content["version"]) == ("home_tf.records", 2)


def test_example_features_parse_a_row_with_int32_as_int64(tmp_path):
    write(tmp_path, 1, layout="rows", shards=1)
    features = RecordSchema.load(tmp_path).example_features()
    assert features["code"].dtype == tf.int64
    assert set(features) == set(COLUMNS)
    path = str(tmp_path / "train-00000-of-00001.tfrecord")
    for record in tf.data.TFRecordDataset(path):
        parsed = tf.io.parse_example(record[None], features)
        assert parsed["words"].shape == (1, 2)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_how_rows_are_given_does_not_change_the_files(tmp_path, layout):
    options = {"layout": layout, "shards": 3, "block_rows": 4}
    write(tmp_path / "once", 50, **options)
    with RecordWriter(
        tmp_path / "often", COLUMNS, nullable=["label"], **options
    ) as writer:
        for start, stop in [(0, 1), (1, 1), (1, 14), (14, 50)]:
            rows = make_rows(stop - start, start)
            writer.write("train", rows)
            for values in rows.values():  # the writer must have copied them
                values[...] = 0
    for path in (tmp_path / "once").iterdir():
        assert path.read_bytes() == (tmp_path / "often" / path.name).read_bytes()


def test_the_rows_are_spread_over_the_shards(tmp_path):
    write_ids(tmp_path, 4096, shards=4, block_rows=64)
    files = RecordSchema.load(tmp_path).splits["train"].files
    assert [file.rows for file in files] == [1024] * 4


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shuffle_rows", [0, 1, 40, 1000])
def test_every_row_comes_exactly_once(tmp_path, layout, shuffle_rows):
    write_ids(tmp_path, 333, layout=layout, shards=4, block_rows=8)
    found = ids(tmp_path, shuffle_rows=shuffle_rows, seed=3)
    assert sorted(found) == list(range(333))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_order_follows_seed_and_epoch(tmp_path, layout):
    write_ids(tmp_path, 333, layout=layout, shards=4, block_rows=8)

    def order(seed, epoch):
        return ids(
            tmp_path, shuffle_rows=100, seed=seed, first_epoch=epoch, epochs=epoch + 1
        )

    assert order(1, 0) == order(1, 0)
    orders = [order(1, 0), order(1, 1), order(2, 0), order(0, 1)]
    assert len({tuple(rows) for rows in orders}) == 4
    assert ids(tmp_path) == ids(tmp_path, seed=5)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("global_seed", [0, 1, 77])
def test_the_global_seed_does_not_change_the_order(tmp_path, layout, global_seed):
    write_ids(tmp_path, 200, layout=layout, shards=4, block_rows=8)
    expected = ids(tmp_path, shuffle_rows=50, seed=1)
    tf.random.set_seed(global_seed)
    try:
        assert ids(tmp_path, shuffle_rows=50, seed=1) == expected
    finally:
        tf.random.set_seed(None)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_resumed_run_sees_the_batches_it_would_have_seen(tmp_path, layout):
    write_ids(tmp_path, 95, layout=layout, shards=3, block_rows=8)
    options = {"shuffle_rows": 40, "seed": 7, "epochs": 4}
    whole = id_batches(tmp_path, **options)
    assert len(whole) == 40
    assert id_batches(tmp_path, first_epoch=2, **options) == whole[20:]
    assert id_batches(tmp_path, first_epoch=4, **options) == []


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shuffle_rows", slow_except([40], [0, 1, 40, 1000]))
def test_a_run_resumed_within_an_epoch_sees_them_too(tmp_path, layout, shuffle_rows):
    write_ids(tmp_path, 95, layout=layout, shards=3, block_rows=8)
    options = {"shuffle_rows": shuffle_rows, "seed": 7, "epochs": 3}
    whole = id_batches(tmp_path, **options)
    for step in range(11):  # an epoch has 10
        rest = id_batches(tmp_path, first_epoch=1, first_step=step, **options)
        assert rest == whole[10 + step :]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_shuffling_mixes_rows_across_blocks(tmp_path, layout):
    write_ids(tmp_path, 1024, layout=layout, shards=4, block_rows=32)
    first = id_batches(tmp_path, batch_size=64, shuffle_rows=1024, seed=1)[0]
    # 64 of 1024 rows at random: the mean is 512 with a standard error of 37.
    assert 512 - 4 * 37 < np.mean(first) < 512 + 4 * 37
    # Neighbours of one block would differ by the number of shards.
    assert np.median(np.abs(np.diff(first))) > 100
    # 32 blocks of 32 consecutive rows of a shard: two whole blocks would touch few.
    assert len({row // 128 for row in first}) >= 6


def test_small_blocks_are_mixed_as_widely_as_large_ones(tmp_path):
    # `shuffle_rows` counts rows, whatever the size of the blocks.
    write_ids(tmp_path, 4096, shards=1, block_rows=16)
    first = id_batches(tmp_path, batch_size=64, shuffle_rows=2048, seed=1)[0]
    assert max(first) - min(first) > 1500


def test_a_row_can_meet_other_rows_in_another_epoch(tmp_path):
    write_ids(tmp_path, 1024, shards=4, block_rows=32)
    options = {"batch_size": 64, "shuffle_rows": 256, "seed": 1}
    epochs = [
        set(id_batches(tmp_path, first_epoch=e, epochs=e + 1, **options)[0])
        for e in range(4)
    ]
    assert all(len(epochs[0] & other) < 40 for other in epochs[1:])


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shuffle_rows", [0, 60])
@pytest.mark.parametrize(
    ("shards", "pipelines", "replicas"), [(1, 3, 3), (5, 2, 4)], ids=str
)
def test_replicas_divide_the_batches_of_one_process(
    tmp_path, layout, shuffle_rows, shards, pipelines, replicas
):
    """Whatever the files hold: uneven ones, or fewer than pipelines."""
    # The last batch of an epoch has a single row: most replicas get none of it.
    write_ids(tmp_path, 61, layout=layout, shards=shards, block_rows=8)
    options = {"shuffle_rows": shuffle_rows, "epochs": 2}
    whole = id_batches(tmp_path, **options)
    assert len(whole) == 14
    shares = [
        id_batches(
            tmp_path, input_context=context(pipelines, pipeline, replicas), **options
        )
        for pipeline in range(pipelines)
    ]
    here = replicas // pipelines
    for step, batch in enumerate(whole):
        parts = [p for share in shares for p in share[here * step : here * (step + 1)]]
        assert len(parts) == replicas
        assert [row for part in parts for row in part] == batch
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert all(len(share) == here * len(whole) for share in shares)


def test_a_batch_that_is_too_small_is_dropped_by_every_pipeline(tmp_path):
    write_ids(tmp_path, 23, shards=1)
    shares = [
        id_batches(tmp_path, smallest_batch=4, input_context=context(2, pipeline, 2))
        for pipeline in range(2)
    ]
    assert [list(map(len, share)) for share in shares] == [[5, 5], [5, 5]]


def test_workers_out_of_step_are_refused(tmp_path):
    write_ids(tmp_path, 23)
    with pytest.raises(HomeError, match=r"Received: 1 replicas .* for 2 input pipe"):
        id_batches(tmp_path, input_context=context(2, 0, 1))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shuffle_rows", [0, 30])
def test_epochs_end_with_their_own_partial_batch(tmp_path, layout, shuffle_rows):
    write_ids(tmp_path, 25, layout=layout, shards=2, block_rows=4)
    options = {"epochs": 2, "shuffle_rows": shuffle_rows}
    batches = id_batches(tmp_path, **options)
    assert [len(batch) for batch in batches] == [10, 10, 5, 10, 10, 5]
    assert sorted(row for batch in batches[:3] for row in batch) == list(range(25))
    full = id_batches(tmp_path, drop_remainder=True, **options)
    assert full == batches[:2] + batches[3:5]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_static_shapes_are_known(tmp_path, layout):
    write(tmp_path, 25, layout=layout)
    spec = DatasetDirectory(tmp_path).read("train", batch_size=10).element_spec
    assert spec["ids"].shape.as_list() == [None, 3]
    spec = (
        DatasetDirectory(tmp_path)
        .read("train", batch_size=10, drop_remainder=True)
        .element_spec
    )
    assert spec["label"].shape.as_list() == [10]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_only_the_asked_for_columns_are_read(tmp_path, layout):
    write(tmp_path, 12, layout=layout)
    dataset = DatasetDirectory(tmp_path).read(
        "train", batch_size=12, columns=["words", "id"]
    )
    (batch,) = dataset.as_numpy_iterator()
    assert set(batch) == {"words", "id"}
    words = [f"w{row - 2**40}".encode() for row in batch["id"]]
    assert batch["words"][:, 0].tolist() == words


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_split_may_have_fewer_rows_than_shards_or_none(tmp_path, layout):
    with RecordWriter(
        tmp_path, {"id": Column("int64")}, layout=layout, shards=8
    ) as writer:
        writer.write("train", {"id": np.arange(3) + 2**40})
        writer.write("test", {"id": np.zeros(0, np.int64)})
    assert sorted(ids(tmp_path, shuffle_rows=10)) == [0, 1, 2]
    assert (
        list(DatasetDirectory(tmp_path).read("test", batch_size=4, shuffle_rows=4))
        == []
    )


def test_a_failed_write_leaves_no_readable_folder(tmp_path):
    def fail():
        with RecordWriter(tmp_path, {"id": Column("int64")}) as writer:
            writer.write("train", {"id": np.arange(3)})
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with pytest.raises(HomeError, match=r"schema\.json"):
        RecordSchema.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"number": None}, ["missing", "'number'"]),
        ({"extra": np.zeros(4)}, ["unknown", "'extra'"]),
        ({"code": np.zeros(3, np.int32)}, ["code", "3"]),
        ({"ids": np.zeros((4, 2), np.int64)}, ["ids", "3", r"\(4, 2\)"]),
        ({"id": np.zeros(())}, ["id", "shape"]),
        ({"id": np.zeros(4)}, ["id", "float64"]),
        ({"id": np.array(["1"] * 4)}, ["id", "<U1"]),
        ({"code": np.full(4, 2**31)}, ["code", "int32"]),
        ({"word": np.arange(4)}, ["word"]),
        ({"word": np.array(["a", None, "b", "c"], object)}, ["word"]),
        ({"number": [0, 1, np.nan, np.nan]}, ["number", "nan", "row 2"]),
        ({"number": [0, np.inf, 1, 1]}, ["number", "inf", "row 1"]),
        ({"number": [0, 0, 0, 1e39]}, ["number", "row 3"]),
        ({"numbers": [[0, 0], [0, np.nan], [0, 0], [0, 0]]}, ["numbers", "row 1"]),
        ({"label": [0, np.inf, 1, 1]}, ["label", "inf", "row 1"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_rows_that_do_not_fit_are_refused(tmp_path, change, words):
    rows = {**make_rows(4), **change}
    rows = {name: values for name, values in rows.items() if values is not None}
    with RecordWriter(tmp_path, COLUMNS, nullable=["label"]) as writer:
        with pytest.raises(HomeError) as error:
            writer.write("train", rows)
        writer.write("train", make_rows(2))
    text = str(error.value)
    assert "\n" not in text
    for word in words:
        assert re.search(word, text), text
    assert RecordSchema.load(tmp_path).splits["train"].rows == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"layout": "columns"}, "`layout` .*Received: 'columns'"),
        ({"compression": "ZIP"}, "`compression` .*Received: 'ZIP'"),
        ({"shards": 0}, "`shards`.*Received: .*0"),
        ({"block_rows": 0}, "`block_rows`.*Received: .*0"),
    ],
)
def test_wrong_arguments_of_the_writer_are_refused(tmp_path, arguments, text):
    with pytest.raises(HomeError, match=text):
        RecordWriter(tmp_path, COLUMNS, **arguments)


@pytest.mark.parametrize("arguments", [("int8",), ("int64", (0,)), ("int64", (2, 2))])
def test_wrong_columns_are_refused(arguments):
    with pytest.raises(HomeError, match="Received: "):
        Column(*arguments)


def test_a_folder_that_is_not_prepared_is_explained(tmp_path):
    with pytest.raises(HomeError, match=r"no such directory.*home-tf prepare"):
        RecordSchema.load(tmp_path / "missing")
    with pytest.raises(HomeError, match=r"empty.*home-tf prepare"):
        RecordSchema.load(tmp_path)
    (tmp_path / "train.csv").write_text("a")
    with pytest.raises(HomeError, match=r"schema\.json.*home-tf prepare") as error:
        DatasetDirectory(tmp_path).read("train", batch_size=1)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "JSON"),
        ("[]", "home_tf.records"),
        ('{"format": "other", "version": 2}', "home_tf.records"),
        (
            '{"format": "home_tf.records", "version": 1}',
            "version.*1.*2.*home-tf prepare",
        ),
        ('{"format": "home_tf.records", "version": 2}', "layout"),
    ],
)
def test_a_wrong_schema_is_explained(tmp_path, text, message):
    (tmp_path / "schema.json").write_text(text)
    with pytest.raises(HomeError, match=message) as error:
        RecordSchema.load(tmp_path)
    assert str(tmp_path / "schema.json") in str(error.value)
    assert "\n" not in str(error.value)


def test_unknown_splits_and_columns_name_the_known_ones(tmp_path):
    write(tmp_path, 3)
    with pytest.raises(HomeError, match=r"'tests'.*train"):
        DatasetDirectory(tmp_path).read("tests", batch_size=1)
    with pytest.raises(HomeError, match=r"'numbr'.*number"):
        DatasetDirectory(tmp_path).read("train", batch_size=1, columns=["numbr"])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"batch_size": 0}, "`batch_size`.*Received: .*0"),
        ({"shuffle_rows": -1}, "`shuffle_rows`.*Received: .*-1"),
        ({"first_epoch": -1}, "`first_epoch`.*Received: -1"),
        ({"first_step": -1}, "`first_step`.*Received: -1"),
        ({"first_epoch": 2}, "`epochs`.*at least 2.*Received: 1"),
        ({"columns": []}, "`columns`.*at least one"),
    ],
)
def test_wrong_arguments_of_read_are_refused(tmp_path, arguments, text):
    write_ids(tmp_path, 3)
    with pytest.raises(HomeError, match=text):
        DatasetDirectory(tmp_path).read("train", **{"batch_size": 1, **arguments})


def test_missing_and_truncated_files_are_named_before_reading(tmp_path):
    write_ids(tmp_path, 30, shards=2)
    path = tmp_path / "train-00001-of-00002.tfrecord"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    message = f"{path.name}.* {len(whole)} bytes.* {len(whole) - 1}|{path.name}.*bytes"
    with pytest.raises(HomeError, match=message):
        DatasetDirectory(tmp_path).read("train", batch_size=1)
    path.unlink()
    with pytest.raises(HomeError, match=f"{path.name}.*missing"):
        DatasetDirectory(tmp_path).read("train", batch_size=1)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_flipped_byte_is_found(tmp_path, layout):
    write_ids(tmp_path, 60, layout=layout, shards=2, block_rows=10)
    assert DatasetDirectory(tmp_path).find_corrupt_record("train") is None
    path = tmp_path / "train-00001-of-00002.tfrecord"
    content = bytearray(path.read_bytes())
    records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    # A record is framed by 12 bytes before and 4 after it.
    place = sum(len(record) + 16 for record in records[:2]) + 12 + 5
    content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(HomeError, match=r"record 2 .* is broken"):
        ids(tmp_path)
    found = DatasetDirectory(tmp_path).find_corrupt_record("train")
    assert str(path) in found
    assert re.search(r"record 2 .* is broken: corrupted record at \d+$", found)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_column_that_does_not_fit_its_rows_is_an_error(tmp_path, layout):
    # Rewrites a record with one value too few, with a valid checksum.
    write(tmp_path, 6, layout=layout, shards=1)
    path = tmp_path / "train-00000-of-00001.tfrecord"
    records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    for name in ("ids", "words"):
        example = tf.train.Example.FromString(records[0])
        feature = example.features.feature[name]
        if layout == "packed" and name == "ids":
            (raw,) = feature.bytes_list.value
            feature.bytes_list.value[:] = [raw[:-8]]
        else:
            kind = feature.WhichOneof("kind")
            del getattr(feature, kind).value[-1]
        with tf.io.TFRecordWriter(str(path)) as file:
            for record in [example.SerializeToString(), *records[1:]]:
                file.write(record)

        found = {"bytes": path.stat().st_size, "fingerprint": fingerprint_file(path)}

        def fit(content, found=found):
            content["splits"]["train"]["files"][0].update(found)

        edit_schema(tmp_path, fit)
        with pytest.raises(tf.errors.InvalidArgumentError, match=name):
            list(DatasetDirectory(tmp_path).read("train", batch_size=2))


def test_a_folder_can_be_moved(tmp_path):
    write_ids(tmp_path / "here", 5)
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert sorted(ids(tmp_path / "there")) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("change", ["emptied", "doubled", "swapped", "of equal size"])
def test_a_shard_that_is_another_is_told_before_reading(tmp_path, layout, change):
    write_ids(tmp_path, 40, layout=layout, shards=2, block_rows=5)
    first, second = sorted(tmp_path.glob("*.tfrecord"))
    content, other = first.read_bytes(), second.read_bytes()
    if change == "swapped":
        first.write_bytes(other)
        second.write_bytes(content)
    elif change == "of equal size":  # as if it were of other data
        first.write_bytes(other)
    else:
        first.write_bytes(b"" if change == "emptied" else content * 2)
    with pytest.raises(HomeError) as error:
        DatasetDirectory(tmp_path).read("train", batch_size=4)
    assert str(error.value).startswith(f"{first}: ")
    assert "\n" not in str(error.value)


def test_a_record_too_many_is_an_error_while_reading(tmp_path):
    """As if the schema were edited to fit the file, but for the number of records."""
    write_ids(tmp_path, 40, layout="rows", shards=2)

    def one_less(content):
        content["splits"]["train"]["files"][0]["records"] -= 1

    edit_schema(tmp_path, one_less)
    with pytest.raises(tf.errors.FailedPreconditionError):
        ids(tmp_path)
    found = DatasetDirectory(tmp_path).find_corrupt_record("train")
    assert "has 20 rows in 20 records, and in schema.json 20 in 19" in found


def test_records_that_are_no_examples_are_told(tmp_path):
    write_ids(tmp_path, 3, layout="rows", shards=1)
    (path,) = tmp_path.glob("*.tfrecord")
    with tf.io.TFRecordWriter(str(path)) as file:
        for _ in range(3):
            file.write(b"no example")
    found = DatasetDirectory(tmp_path).find_corrupt_record("train")
    assert re.search(r"record 0 \(of 3, from 0\) is broken: Could not parse", found)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_epochs_last_batch_may_be_too_small_to_be_one(tmp_path, layout):
    write_ids(tmp_path, 23, layout=layout, shards=2, block_rows=4)
    sizes = [len(b) for b in id_batches(tmp_path, smallest_batch=4, epochs=2)]
    assert sizes == [10, 10, 10, 10]
    sizes = [len(b) for b in id_batches(tmp_path, smallest_batch=3, epochs=2)]
    assert sizes == [10, 10, 3, 10, 10, 3]


@pytest.mark.parametrize(
    "name", ["a b", "\u00fc", "a/b", "-a", "", "weights", "self", "__rows__", "a\n"]
)
def test_a_name_that_no_column_can_have_is_refused_when_it_is_declared(tmp_path, name):
    message = re.escape(f"Received: {name!r}")
    with pytest.raises(HomeError, match=message):
        RecordWriter(tmp_path, {name: Column("int64")})
    write_ids(tmp_path / "written", 3)

    def rename(content):
        content["columns"] = {name: content["columns"]["id"]}

    edit_schema(tmp_path / "written", rename)
    with pytest.raises(HomeError, match=message):
        DatasetDirectory(tmp_path / "written")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_full_disk_is_told_in_one_line(tmp_path, layout, limited_files):
    with limited_files(2**14), pytest.raises(HomeError) as error:
        write_ids(tmp_path / "records", 50_000, layout=layout, shards=1)
    message = str(error.value)
    assert message.startswith(f"{tmp_path / 'records'}: cannot be written (")
    assert "\n" not in message
    assert not (tmp_path / "records" / "schema.json").exists()
