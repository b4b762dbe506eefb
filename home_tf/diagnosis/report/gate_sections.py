"""The sections on gates: weights, sources of the tasks' mass, feature gates."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from home_tf.diagnosis.report.expert_plots import draw_sources
from home_tf.diagnosis.report.gate_grids import LAST, gate_grids
from home_tf.diagnosis.report.heat_map import (
    Grid,
    around_one,
    draw_heat_map,
    shares,
)
from home_tf.diagnosis.report.runs import Runs, named, titled
from home_tf.report.contents import Block, Plot, Section, Table
from home_tf.report.numbers import UNDEFINED, decimal, percent
from home_tf.report.style import shorten

# The number of features that fit in a plot.
_MOST_FEATURES = 40


def gate_section(runs: Runs) -> Section:
    """Makes the section on the weights of the gates, level by level."""
    levels = dict.fromkeys(
        level for one in runs.values() for level in gate_grids(one, "weights")
    )
    blocks = [_gate_block(runs, level) for level in levels]
    tables = [
        _gate_table(titled(runs, run, title), one[kind])
        for kind, title in (("gates", "gates"), ("self_gates", "self gates"))
        for run, one in runs.items()
        if one[kind]
    ]
    if tables:
        blocks.append(Block("All gates", tables=tables))
    else:
        blocks.append(Block("", "The architecture has no gates over experts."))
    return Section(
        "gates",
        "Gates",
        "Which experts each gate uses. The weight is what the gate assigns; the "
        "contribution is what arrives, since experts with large outputs count for "
        "more. A row for each gate, a column for each expert; the strip above shows "
        "who owns the experts. Blank: the gate does not see the expert. Numbers in "
        "percent.",
        blocks,
    )


def _gate_block(runs: Runs, level: str) -> Block:
    plots = []
    for run, one in runs.items():
        for figure in ("weights", "contributions"):
            grids = gate_grids(one, figure)
            if level in grids:
                plots.append(_gate_plot(runs, run, level, figure, grids[level]))
    title = "Gates of the tasks" if level == LAST else f"Gates of the level {level}"
    return Block(title, plots=plots)


def _gate_plot(runs: Runs, run: str, level: str, figure: str, grid: Grid) -> Plot:
    title = titled(runs, run, f"mean {figure}")
    name = f"gate-{figure}-{level}" if level else f"gate-{figure}"
    return Plot(
        named(runs, run, name),
        f"Heat map of {title}: gates by experts",
        partial(draw_heat_map, grid, shares(), title),
        [grid_table(title, "gate", grid, percent)],
    )


def grid_table(caption: str, corner: str, grid: Grid, write: Any) -> Table:
    """Makes the table with the numbers of a heat map."""
    rows = [
        [name, *(UNDEFINED if np.isnan(x) else write(x) for x in values)]
        for name, values in zip(grid.rows, grid.values.tolist(), strict=True)
    ]
    return Table(caption, [corner, *grid.columns], rows)


def _gate_table(caption: str, gates: Mapping[str, Any]) -> Table:
    rows = []
    for name, gate in gates.items():
        contributions = gate["contributions"]
        most = max(contributions, key=contributions.__getitem__)
        rows.append(
            [
                name,
                percent(gate["effective_experts"]),
                percent(gate["expert_utilization"]),
                percent(gate["largest_weight"]),
                percent(contributions[most]),
                most,
                percent(gate["unused_expert_fraction"]),
                percent(gate["input_dependence"]),
            ]
        )
    columns = [
        "gate",
        "effective experts",
        "experts used",
        "largest weight",
        "largest contribution",
        "of the expert",
        "unused experts",
        "input dependence",
    ]
    return Table(caption, columns, rows, words=[5])


def source_section(runs: Runs) -> Section:
    """Makes the section on where the representation of each task comes from."""
    plots = [
        Plot(
            named(runs, run, "sources"),
            titled(runs, run, "shares of own, group's and shared experts by task"),
            partial(draw_sources, one["tasks"], titled(runs, run, "mass of each task")),
            [_source_table(runs, run)],
        )
        for run, one in runs.items()
        if one["tasks"]
    ]
    text = "" if plots else "No gate of the architecture makes a task's representation."
    return Section(
        "sources",
        "Where each task's mass comes from",
        "How much of a task's representation comes from its own experts, from those of "
        "its group and from the shared ones, through gate and self gate together.",
        [Block("", text, plots)],
    )


def _source_table(runs: Runs, run: str) -> Table:
    rows = [
        [task, *(percent(masses[owner]) for owner in ("task", "group", "shared"))]
        for task, masses in runs[run]["tasks"].items()
    ]
    columns = ["task", "its own", "its group's", "shared"]
    return Table(titled(runs, run, "mass of each task"), columns, rows)


def feature_gate_section(runs: Runs) -> Section:
    """Makes the section on the values of the feature gates."""
    having = [run for run, one in runs.items() if one["feature_gates"]]
    plots = [plot for run in having for plot in _feature_plots(runs, run)]
    missing = [run for run in runs if run not in having]
    text = ""
    if not having:
        text = "The architecture has no feature gates; `home` has, by `feature_gate`."
    elif missing:
        text = f"Without feature gates: {', '.join(missing)}."
    return Section(
        "feature-gates",
        "Feature gates",
        "How much each feature gate changes its input, and which features it scales: "
        "values above 1 amplify a feature, values below 1 dampen it.",
        [Block("", text, plots, [_feature_gate_table(runs, run) for run in having])],
    )


def _feature_plots(runs: Runs, run: str) -> Iterator[Plot]:
    gates = runs[run]["feature_gates"]
    rows = {name: one["features"] for name, one in gates.items() if "features" in one}
    if not rows:
        return
    features = list(dict.fromkeys(name for row in rows.values() for name in row))
    whole = Grid.of(rows, {name: name for name in features})
    strays = np.abs(whole.values - 1.0).max(axis=0)
    shown = [features[i] for i in np.sort(np.argsort(-strays)[:_MOST_FEATURES])]
    grid = Grid.of(rows, {name: shorten(name) for name in shown})
    title = titled(runs, run, "mean value of each feature gate by feature")
    if len(shown) < len(features):
        title += f", the {len(shown)} of {len(features)} farthest from 1"
    yield Plot(
        named(runs, run, "feature-gates"),
        f"Heat map of {title}",
        partial(draw_heat_map, grid, around_one(grid.values), title),
        [_transposed(grid_table(title, "feature", whole, _three_digits))],
    )


def _three_digits(value: float) -> str:
    return decimal(value, 3)


def _transposed(table: Table) -> Table:
    """Transposes to a row per feature, since there are more features than gates."""
    columns, *rows = zip(table.columns, *table.rows, strict=True)
    return Table(table.caption, columns, rows)


def _feature_gate_table(runs: Runs, run: str) -> Table:
    rows = [
        [name, decimal(one["mean"]), decimal(one["deviation"]), percent(one["effect"])]
        for name, one in runs[run]["feature_gates"].items()
    ]
    columns = ["feature gate", "mean", "standard deviation", "effect"]
    return Table(titled(runs, run, "feature gates"), columns, rows)
