"""Data that is wrong, each with the line by which a training refuses it."""

import json

import numpy as np
import pytest
import tensorflow as tf
from support.slow import slow_except

from home_tf.config import load_config
from home_tf.data import DatasetDirectory, RecordWriter
from home_tf.errors import HomeError
from home_tf.training import train


def edit_json(name, change):
    """A damage: changes the content of a JSON file."""

    def damage(folder):
        file = folder / name
        content = json.loads(file.read_text())
        changed = change(content)
        file.write_text(json.dumps(content if changed is None else changed))

    return damage


def schema(change):
    return edit_json("schema.json", change)


def statistic(column, **values):
    return edit_json("statistics.json", lambda s: s[column].update(values))


def label_statistic_is_gone(content):
    del content["video_impressions"]


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


def write_bytes(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def remove(name):
    return lambda folder: (folder / name).unlink()


SHARD = "train-00000-of-00002.tfrecord"
OTHER = "train-00001-of-00002.tfrecord"


def cut(folder):
    file = folder / SHARD
    file.write_bytes(file.read_bytes()[:-7])


def flip(folder):
    file = folder / SHARD
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def swap(folder):
    first, second = (folder / name for name in (SHARD, OTHER))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def double(folder):
    file = folder / SHARD
    file.write_bytes(file.read_bytes() * 2)


def rows(change, columns=None):
    """A damage: writes the training rows anew, changed."""

    def damage(folder):
        data = DatasetDirectory(folder)
        read = {
            split: [
                {name: x.numpy() for name, x in batch.items()}
                for batch in data.read(split, batch_size=4096)
            ]
            for split in data.schema.splits
        }
        kinds = {**data.columns, **(columns or {})}
        for file in folder.glob("*.tfrecord"):
            file.unlink()
        (folder / "schema.json").unlink()
        floats = [name for name, kind in kinds.items() if kind.dtype == "float32"]
        with RecordWriter(folder, kinds, shards=2, nullable=floats) as writer:
            for split, batches in read.items():
                for batch in batches:
                    if split == "train":
                        change(batch)
                    writer.write(split, batch)

    return damage


def put(column, number, row=3):
    def change(batch):
        batch[column][row] = number

    return rows(change)


def fill(column, number):
    def change(batch):
        batch[column][:] = number

    return rows(change)


# What is done to a folder of records, and what is then said.
DAMAGES = {
    "no schema": (remove("schema.json"), "there is no schema.json, so it is not a"),
    "an empty schema": (write("schema.json", ""), "cannot be read as JSON"),
    "half a schema": (write("schema.json", '{"format": '), "cannot be read as JSON"),
    "a list for a schema": (write("schema.json", "[]"), "`format` must be"),
    "another format": (
        schema(lambda c: c.update(format="other")),
        "`format` must be 'home_tf.records'. Received: 'other'",
    ),
    "an earlier version": (
        schema(lambda c: c.update(version=1)),
        "`version` 1 of the records is not supported, only 2 is",
    ),
    "another layout": (
        schema(lambda c: c.update(layout="columns")),
        "`layout` must be one of 'packed', 'rows'. Received: 'columns'",
    ),
    "another compression": (
        schema(lambda c: c.update(compression="LZ4")),
        "`compression` must be one of None, 'GZIP'. Received: 'LZ4'",
    ),
    "no columns": (schema(lambda c: c.update(columns={})), "at least one column"),
    "a column of another dtype": (
        schema(lambda c: c["columns"]["tab"].update(dtype="float64")),
        "`dtype` must be one of int32, int64, float32, string. Received: 'float64'",
    ),
    "a column of another shape": (
        schema(lambda c: c["columns"]["tab"].update(shape=[2, 3])),
        "`shape` must be () or (length,)",
    ),
    "a column without a dtype": (
        schema(lambda c: c["columns"].update(tab={})),
        "not a valid schema (KeyError: 'dtype')",
    ),
    "a column with a blank in its name": (
        schema(lambda c: c["columns"].update({"a b": c["columns"]["tab"]})),
        "Received: 'a b'",
    ),
    "a column that a feature needs is gone": (
        schema(lambda c: c["columns"].pop("tag") and None),
        "feature `tag` reads column 'tag', which is not in the dataset directory",
    ),
    "a label is gone": (
        schema(lambda c: c["columns"].pop("is_like") and None),
        "`tasks.is_like.label` is column 'is_like', which is not in the",
    ),
    "a number is text": (
        schema(lambda c: c["columns"]["video_impressions"].update(dtype="string")),
        "feature `video_impressions` is numeric, but column 'video_impressions' has",
    ),
    "an id is a float": (
        schema(lambda c: c["columns"]["user_id"].update(dtype="float32")),
        "feature `user_id` is categorical, but column 'user_id' has dtype float32",
    ),
    "a label is text": (
        schema(lambda c: c["columns"]["is_like"].update(dtype="string")),
        "`tasks.is_like.label` is column 'is_like', which must hold a number in each",
    ),
    "a label is a list": (
        schema(lambda c: c["columns"]["is_like"].update(shape=[2])),
        "`tasks.is_like.label` is column 'is_like', which must hold a number in each",
    ),
    "users are floats": (
        # No feature reads it as one, but the evaluation does.
        schema(lambda c: c["columns"]["date"].update(dtype="float32")),
        "`evaluation.group_by` is column 'date', which must hold an integer or a str",
    ),
    "no training split": (
        schema(lambda c: c["splits"].pop("train") and None),
        "no rows in the split 'train', which training needs",
    ),
    "no validation rows": (
        schema(lambda c: c["splits"].update(validation={"rows": 0, "files": []})),
        "no rows in the split 'validation', which training needs",
    ),
    "a split of nothing": (
        schema(lambda c: c["splits"].update(train=None)),
        "not a valid schema",
    ),
    "a file without a size": (
        schema(lambda c: c["splits"]["train"]["files"][0].pop("bytes") and None),
        "not a valid schema",
    ),
    "no shard": (remove(SHARD), f"{SHARD}: the file is missing"),
    "an empty shard": (write_bytes(SHARD, b""), f"{SHARD}: the file must have"),
    "a cut shard": (cut, f"{SHARD}: the file must have"),
    "a doubled shard": (double, f"{SHARD}: the file must have"),
    "a flipped bit": (flip, f"{SHARD}: record"),
    "swapped shards": (swap, "00000-of-00002.tfrecord: "),
    "no statistics": (remove("statistics.json"), "no readable statistics"),
    "garbage for statistics": (write("statistics.json", "{"), "no readable stat"),
    "a list for statistics": (write("statistics.json", "[]"), "no readable stat"),
    "statistics lack a column": (
        edit_json("statistics.json", label_statistic_is_gone),
        "no statistics of column 'video_impressions', which feature",
    ),
    "a mean that is none": (
        statistic("user_is_click_rate", mean="high"),
        "`user_is_click_rate.mean`, which feature `user_is_click_rate` needs, must be",
    ),
    "a negative variance": (
        statistic("user_is_click_rate", variance=-0.1),
        "needs, must not be negative. Received: -0.1",
    ),
    "no quantiles": (
        statistic("duration_ms", quantiles=[]),
        "is empty: no training row has a number in this column",
    ),
    "one quantile": (
        statistic("duration_ms", quantiles=[1.0]),
        "must be a list of at least two finite numbers in ascending order",
    ),
    "unsorted quantiles": (
        statistic("duration_ms", quantiles=[1.0, 0.0]),
        "must be a list of at least two finite numbers in ascending order",
    ),
    "no vocabulary": (
        remove("vocabularies/user_id.csv"),
        "user_id.csv: no such vocabulary",
    ),
    "a vocabulary of other columns": (
        write("vocabularies/user_id.csv", "id\n3\n"),
        "a vocabulary must have the columns value,count",
    ),
    "a vocabulary with a gap": (
        write("vocabularies/user_id.csv", "value,count\n3\n"),
        "a vocabulary must have the columns value,count",
    ),
    "a vocabulary with a value twice": (
        write("vocabularies/user_id.csv", "value,count\n3,9\n3,8\n"),
        "must have each value only once. Received: 3",
    ),
    "a vocabulary of words for integers": (
        write("vocabularies/user_id.csv", "value,count\nann,9\n"),
        "must be integers. Received: 'ann'",
    ),
    "a vocabulary of fractions": (
        write("vocabularies/user_id.csv", "value,count\n1.5,9\n"),
        "must be integers. Received: '1.5'",
    ),
    "a vocabulary of nothing": (
        write("vocabularies/user_id.csv", "value,count\n"),
        "no training row has a value in column 'user_id', all are missing",
    ),
    "a vocabulary of rare values": (
        write("vocabularies/user_id.csv", "value,count\n1,1\n"),
        "no value of column 'user_id' occurs in `min_count` 2 training rows",
    ),
    "a vocabulary that is no text": (
        write_bytes("vocabularies/user_id.csv", b"value,count\n\xff\xfe,1\n"),
        "a vocabulary must have the columns value,count",
    ),
    "NaN in a feature": (
        put("video_impressions", np.nan),
        "column `video_impressions` of the features must hold finite numbers",
    ),
    "NaN in a number that is cut into buckets": (
        put("duration_ms", np.nan),
        "column `duration_ms` of the features must hold finite numbers",
    ),
    "a rating for a label": (
        put("is_like", 4.0),
        "column `is_like`, task `is_like`: labels must be 0 or 1, NaN or -1",
    ),
    "a negative label": (
        put("is_click", -2.0),
        "column `is_click`, task `is_click`: labels must be 0 or 1, NaN or -1",
    ),
    "a task without labels": (
        fill("is_like", np.nan),
        "task `is_like` has no label in the training rows",
    ),
    "a task without positives": (
        fill("is_like", 0.0),
        "task `is_like` has no positive label among",
    ),
}


# A training finds these late: only when it reads the rows.
LATE = {
    "NaN in a number that is cut into buckets",
    "a rating for a label",
    "a negative label",
    "a task without labels",
    "a task without positives",
}


@pytest.mark.parametrize("damage", slow_except(DAMAGES.keys() - LATE, DAMAGES))
def test_a_training_refuses_it_in_one_line(config_file, data, tmp_path, damage):
    change, line = DAMAGES[damage]
    change(data)
    overrides = {"evaluation.group_by": "date"} if damage == "users are floats" else {}
    config = load_config(config_file, overrides)
    with pytest.raises(HomeError) as error:
        train(config, data, tmp_path / "out")
    assert line in str(error.value)
    assert str(data) in str(error.value)
    assert "\n" not in str(error.value)
    assert "://" not in str(error.value)
    # Nothing that a later command would take for a run with results.
    assert not list(tmp_path.glob("out/checkpoints/best/*"))


@pytest.mark.slow
def test_a_wrong_weight_is_refused_in_one_line(config_file, data, tmp_path):
    put("video_long_view_rate", np.nan)(data)
    config = load_config(
        config_file, {"tasks.is_click.sample_weight": "video_long_view_rate"}
    )
    with pytest.raises(HomeError) as error:
        train(config, data, tmp_path / "out")
    assert "column `video_long_view_rate`, task `is_click`: sample weights" in str(
        error.value
    )
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_nothing_is_wrong_with_data_that_is_not_damaged(config_file, data, tmp_path):
    rows(lambda batch: None)(data)
    run = train(load_config(config_file), data, tmp_path / "out")
    assert list(run.checkpoints.glob("best/*.index"))
    assert tf.executing_eagerly()
