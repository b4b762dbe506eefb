"""`home-tf describe`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.table import Table

from home_tf.cli.console import console
from home_tf.cli.options import DataOption
from home_tf.cli.start_tensorflow import start_tensorflow

if TYPE_CHECKING:
    from home_tf.data import ColumnSummary


def describe(data: DataOption) -> None:
    """Show what is in a dataset directory: rows, missing and unknown values, means."""
    start_tensorflow()
    from home_tf.data import DatasetDirectory, summarize

    opened = DatasetDirectory(data)
    rows = {name: split.rows for name, split in opened.schema.splits.items()}
    console.print("rows: " + "  ".join(f"{name} {n:,}" for name, n in rows.items()))
    found = {split: summarize(opened, split) for split in rows}
    console.print(_table(found))


def _table(found: Mapping[str, Mapping[str, "ColumnSummary"]]) -> Table:
    table = Table(
        title="missing, out of vocabulary, and the mean or the number of ones",
        title_justify="left",
    )
    table.add_column("column", no_wrap=True)
    table.add_column("distinct", justify="right")
    for split in found:
        table.add_column(split, justify="right")
    for name in next(iter(found.values())):
        parts = [found[split][name] for split in found]
        distinct = len(set().union(*(part.distinct for part in parts)))
        table.add_row(name, f"{distinct:,}" if distinct else "", *map(_cell, parts))
    return table


def _cell(part: "ColumnSummary") -> str:
    shown = []
    if part.missing:
        shown.append(f"{part.missing / part.rows:.1%} missing")
    if part.unknown:
        shown.append(f"{part.unknown / part.values:.1%} new")
    if part.column.dtype == "float32" and part.values:
        mean = f"{part.total / part.values:.4g}"
        shown.append(mean if part.ones is None else f"{part.ones:,} ones")
    return ", ".join(shown)
