"""The weights and contributions of gates as grids, one per level."""

from collections.abc import Mapping
from typing import Any

from home_tf.diagnosis.report.expert_names import names_by_level, without_level
from home_tf.diagnosis.report.heat_map import Grid

# The gates that compute the representations of tasks.
LAST = ""


def gate_grids(figures: Mapping[str, Any], figure: str) -> dict[str, Grid]:
    """Makes grids of gates by experts, blank where a gate does not see an expert.

    Args:
        figures: What `Figures.result` returns.
        figure: `weights` or `contributions`.

    Returns:
        A grid for the gates of the tasks, under the name `LAST`, and one for each
        earlier level, under its name.
    """
    last = {n: gate for n, gate in figures["gates"].items() if gate["task"] is not None}
    earlier = [name for name in figures["gates"] if name not in last]
    grids = {}
    if last:
        rows = {gate["task"]: gate[figure] for gate in last.values()}
        grids[LAST] = _make_grid(figures, rows)
    for level, names in names_by_level(earlier).items():
        short = without_level(names)
        rows = {short[name]: figures["gates"][name][figure] for name in names}
        grids[level] = _make_grid(figures, rows)
    return grids


def _make_grid(
    figures: Mapping[str, Any], rows: Mapping[str, Mapping[str, float]]
) -> Grid:
    seen = {name for row in rows.values() for name in row}
    experts = [name for name in figures["experts"] if name in seen]
    owners = [figures["experts"][name]["owner"] for name in experts]
    return Grid.of(rows, without_level(experts), owners)
