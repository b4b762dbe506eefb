"""Counting the values of categorical columns over the training rows."""

import csv
from collections.abc import Sequence
from pathlib import Path

import ibis

from home_tf.engines import SPLIT, Table

_BATCH_ROWS = 65_536


def write_vocabularies(dataset: Table, columns: Sequence[str], folder: Path) -> None:
    """Writes `<column>.csv` for every column: value and count, most frequent first.

    Values with equal counts are in ascending order; missing values do not count.

    Args:
        dataset: The table `dataset`, of all splits.
        columns: The columns, single values or lists.
        folder: An existing folder.
    """
    for column in columns:
        both = dataset.select(SPLIT, value=dataset[column])
        value = both.filter(both[SPLIT] == "train")["value"]
        values = (value.unnest() if value.type().is_array() else value).as_table()
        values = values.rename(value=values.columns[0])
        missing = "" if values["value"].type().is_string() else -1
        known = values.filter(values["value"] != missing)
        counted = known.group_by("value").agg(count=known.count())
        ordered = counted.order_by([ibis.desc("count"), "value"])
        _write(ordered, folder / f"{column}.csv")


def _write(counted: Table, file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(("value", "count"))
        for batch in counted.to_pyarrow_batches(chunk_size=_BATCH_ROWS):
            columns = (column.to_pylist() for column in batch.columns)
            writer.writerows(zip(*columns, strict=True))
