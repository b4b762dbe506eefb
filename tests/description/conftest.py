"""A small dataset directory, whose figures are known."""

import json

import numpy as np
import pytest

from home_tf.data import Column, RecordWriter

COLUMNS = {
    "user": Column("int64"),
    "tags": Column("string", (2,)),
    "price": Column("float32"),
    "site": Column("string"),
    "day": Column("int32"),
    "click": Column("float32"),
}


def make_rows(rows, *, seed, shift=0.0, new=0.0, missing=0.0, rate=0.4):
    """Rows with a chosen change: of prices, new users, missing prices, clicks."""
    random = np.random.default_rng(seed)
    user = np.where(random.random(rows) < new, 99, random.integers(0, 10, rows))
    price = random.normal(shift, 1, rows).astype(np.float32)
    price[random.random(rows) < missing] = np.nan
    click = (random.random(rows) < rate).astype(np.float32)
    click[::10] = np.nan
    tags = np.array([["a", "b"], ["a", ""], ["", ""], ["b", ""]], object)
    return {
        "user": user,
        "tags": tags[np.arange(rows) % 4],
        "price": price,
        "site": np.full(rows, "here", object),
        "day": np.full(rows, 20260101 + seed, np.int32),
        "click": click,
    }


def write_data(folder, splits):
    """Writes splits as `home-tf prepare` does: `{split: rows}`."""
    nullable = ["click", "price"]
    with RecordWriter(folder, COLUMNS, shards=2, nullable=nullable) as out:
        for split, rows in splits.items():
            out.write(split, rows)
    train = splits["train"]
    (folder / "vocabularies").mkdir()
    for name in ("user", "tags", "site"):
        values, counts = np.unique(train[name].astype(str), return_counts=True)
        listed = sorted(zip(-counts, values, strict=True))
        lines = [f"{value},{-count}" for count, value in listed if value]
        text = "\n".join(["value,count", *lines])
        (folder / "vocabularies" / f"{name}.csv").write_text(text + "\n")
    price = train["price"][~np.isnan(train["price"])].astype(np.float64)
    quantiles = np.quantile(price, np.linspace(0, 1, 101)).tolist()
    (folder / "statistics.json").write_text(
        json.dumps({"price": {"quantiles": quantiles}})
    )
    return folder


@pytest.fixture(scope="session")
def splits():
    return {
        "train": make_rows(20_000, seed=0),
        "validation": make_rows(4_000, seed=1),
        "test": make_rows(4_000, seed=2, shift=1.0, new=0.6, missing=0.2, rate=0.35),
    }


@pytest.fixture(scope="session")
def data(splits, tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("described") / "data", splits)
