"""Finding columns that nearly give away a label."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from home_tf.engines import Engine, Table
from home_tf.init.labels import Label
from home_tf.init.sql import quoted
from home_tf.prepare.derive import derive

# Numbers are split into this many ranges with equal numbers of rows.
_RANGES = 256
# At least this many ones and zeros are needed for a meaningful AUC.
_LEAST = 20

Array = npt.NDArray[np.float64]


def measure_alone(
    engine: Engine,
    sample: Table,
    columns: Mapping[str, bool],
    labels: Sequence[Label],
) -> dict[str, tuple[float, str]]:
    """Measures how well each column on its own predicts the labels.

    The score of a row is the rate of its value, in the other half of the rows.

    Args:
        engine: Where it is done.
        sample: Rows of the log, a table of the database.
        columns: The columns, and whether a column's ranges count instead of its values.
        labels: The labels.

    Returns:
        `{column: (AUC, label)}` for the label that it predicts best, leaving out
        columns without a meaningful AUC.
    """
    names = {f"__label_{number}": label for number, label in enumerate(labels)}
    halves = sample.mutate(__half=sample.rowid().hash().abs() % 2)
    sql = {name: one.sql or quoted(one.column) for name, one in names.items()}
    rows = derive(engine, halves, sql, key="--label")
    found = {}
    for column, has_ranges in columns.items():
        counted = _count(rows, column, has_ranges, list(names))
        aucs = {one.name: _held_out_auc(counted, name) for name, one in names.items()}
        known = {name: auc for name, auc in aucs.items() if auc is not None}
        if known:
            best = max(known, key=lambda name: known[name])
            found[column] = known[best], best
    return found


def _count(
    rows: Table, column: str, has_ranges: bool, labels: Sequence[str]
) -> dict[str, Array]:
    """Counts known labels and ones of each value, in each half of the rows."""
    value = rows[column]
    if has_ranges:
        value = (value.percent_rank() * _RANGES).floor()
    rows = rows.select("__half", *labels, __value=value)
    counts = {}
    for name in labels:
        one = rows[name].cast("float64")
        for half in (0, 1):
            mine = rows["__half"] == half
            counts[f"{name} known {half}"] = one.count(where=mine)
            counts[f"{name} ones {half}"] = one.sum(where=mine).fill_null(0)
    counted = rows.group_by("__value").agg(**counts).drop("__value").to_pyarrow()
    return {
        name: counted[name].to_numpy().astype(np.float64)
        for name in counted.column_names
    }


def _held_out_auc(counted: Mapping[str, Array], label: str) -> float | None:
    known, ones = counted[f"{label} known 0"], counted[f"{label} ones 0"]
    positives = counted[f"{label} ones 1"]
    negatives = counted[f"{label} known 1"] - positives
    if min(positives.sum(), negatives.sum(), ones.sum()) < _LEAST:
        return None
    # A value that is not in the first half gets the overall rate.
    scores = (ones + ones.sum() / known.sum()) / (known + 1)
    return _auc(scores, positives, negatives)


def _auc(scores: Array, positives: Array, negatives: Array) -> float:
    """Computes the AUC of scores that several positives and negatives share."""
    _, place = np.unique(scores, return_inverse=True)
    ones, zeros = np.bincount(place, positives), np.bincount(place, negatives)
    below = np.cumsum(zeros) - zeros
    return float((ones * (below + zeros / 2)).sum() / (ones.sum() * zeros.sum()))
