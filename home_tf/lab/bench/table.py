"""The table of a benchmark's figures, for the terminal, 80 columns wide."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def bench_table(found: Mapping[str, Any]) -> Table:
    """Makes the table.

    Args:
        found: What a benchmark returns: numbers, texts, and ratios as
            `{"median", "low", "high"}`.

    Returns:
        One row per figure; ratios with their quartiles over the rounds.
    """
    table = Table("figure", "value", "quartiles")
    for column in table.columns[1:]:
        column.justify = "right"
    for key, value in found.items():
        if isinstance(value, Mapping):
            quartiles = f"{value['low']:.2f} to {value['high']:.2f}"
            table.add_row(key, f"{value['median']:.2f}", quartiles)
        else:
            table.add_row(
                key, f"{value:.3g}" if isinstance(value, float) else f"{value}"
            )
    return table
