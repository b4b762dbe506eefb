"""Synthetic records for the benchmarks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from home_tf.data import Column, RecordWriter

Rows = dict[str, Any]


@dataclass(frozen=True)
class RecordSizes:
    """The numbers of rows and columns.

    Attributes:
        rows: Rows of the split.
        integers: Number of `int64` columns.
        floats: Number of `float32` columns.
        labels: Number of further `float32` columns.
    """

    rows: int = 200_000
    integers: int = 30
    floats: int = 10
    labels: int = 6

    @property
    def columns(self) -> dict[str, Column]:
        """The columns by name."""
        return {
            **{f"integer_{i}": Column("int64") for i in range(self.integers)},
            **{f"float_{i}": Column("float32") for i in range(self.floats)},
            **{f"label_{i}": Column("float32") for i in range(self.labels)},
        }


def make_rows(sizes: RecordSizes) -> Rows:
    """Values of all columns, `{column: (rows,)}`."""
    random = np.random.default_rng(0)
    rows: Rows = {}
    for index, (name, column) in enumerate(sizes.columns.items()):
        if column.dtype == "int64":
            most = 10 ** (1 + index % 6)  # ids of small and of large vocabularies
            rows[name] = random.integers(0, most, sizes.rows)
        elif name.startswith("label"):
            rows[name] = random.integers(0, 2, sizes.rows).astype(np.float32)
        else:
            rows[name] = random.normal(size=sizes.rows).astype(np.float32)
    return rows


def write_records(folder: Path, layout: Any, sizes: RecordSizes, rows: Rows) -> None:
    """Writes the split `train`, replacing an earlier one."""
    (folder / "schema.json").unlink(missing_ok=True)
    with RecordWriter(folder, sizes.columns, layout=layout) as writer:
        for start in range(0, len(next(iter(rows.values()))), 65536):
            part = slice(start, start + 65536)
            writer.write("train", {name: v[part] for name, v in rows.items()})
