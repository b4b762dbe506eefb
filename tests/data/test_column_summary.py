"""What is in the columns of a split, against plain counts."""

import numpy as np
import pytest

from home_tf.data import Column, DatasetDirectory, RecordWriter, summarize

ROWS = {
    "train": {
        "user": np.array([7, 7, 9, -1]),
        "tags": np.array([["a", "b"], ["a", ""], ["", ""], ["b", ""]], object),
        "price": np.array([1.5, 2.5, 4.0, 0.0], np.float32),
        "click": np.array([1, 0, np.nan, 1], np.float32),
    },
    "test": {
        "user": np.array([7, 8, 8]),
        "tags": np.array([["a", "c"], ["d", ""], ["", ""]], object),
        "price": np.array([1.0, 2.0, 6.0], np.float32),
        "click": np.array([0, 0, np.nan], np.float32),
    },
}


@pytest.fixture
def data(tmp_path):
    columns = {
        "user": Column("int64"),
        "tags": Column("string", (2,)),
        "price": Column("float32"),
        "click": Column("float32"),
    }
    with RecordWriter(tmp_path / "data", columns, shards=1, nullable=["click"]) as out:
        for split, rows in ROWS.items():
            out.write(split, rows)
    vocabularies = tmp_path / "data" / "vocabularies"
    vocabularies.mkdir()
    (vocabularies / "user.csv").write_text("value,count\n7,2\n9,1\n")
    (vocabularies / "tags.csv").write_text("value,count\na,2\nb,2\n")
    return DatasetDirectory(tmp_path / "data")


def test_missing_and_unknown_values_are_counted(data):
    train, test = (summarize(data, split) for split in ("train", "test"))
    assert (train["user"].rows, train["user"].missing) == (4, 1)
    assert (train["user"].unknown, test["user"].unknown) == (0, 2)
    assert train["user"].distinct == {7, 9}
    assert (test["tags"].values, test["tags"].missing, test["tags"].unknown) == (
        3,
        1,
        2,
    )
    assert test["tags"].distinct == {"a", "c", "d"}


def test_numbers_have_sums_and_labels_ones(data):
    train, test = (summarize(data, split) for split in ("train", "test"))
    assert train["price"].total == 8.0
    assert train["price"].ones is None
    assert (train["click"].ones, test["click"].ones) == (2, 0)
    assert (train["click"].missing, train["click"].values) == (1, 3)
