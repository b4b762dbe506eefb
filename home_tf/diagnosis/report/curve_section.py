"""The section on the training: the experts and gates over its steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from home_tf.diagnosis.report.curve_plots import Lines, Panel, draw_panels
from home_tf.diagnosis.report.runs import Runs, named, titled
from home_tf.report.contents import Block, Plot, Section, Table
from home_tf.report.numbers import decimal, percent

# The plots: the name of each, and the kinds of figures in it.
_PLOTS = {"experts": ["experts"], "gates": ["gates", "tasks", "feature_gates"]}
_MISSING = (
    "Not measured. `training.monitor_experts: 200` in the configuration measures every "
    "200 steps of a training."
)
# The number of measurements that fit in a plot and in the page.
_MOST_STEPS = 80


@dataclass(frozen=True)
class Curve:
    """A figure that is tracked over a training.

    Attributes:
        kind: What it describes, such as `experts`.
        figure: Its key in the figures.
        title: Its title in the report.
        lowest: Whether the lowest values are the worst, not the highest.
        is_share: Whether it ranges from 0 to 1.
    """

    kind: str
    figure: str
    title: str
    lowest: bool = False
    is_share: bool = True


CURVES = (
    Curve("experts", "dead_dimensions", "dead dimensions of experts"),
    Curve("experts", "zeros", "zeros of experts"),
    Curve("experts", "similarity", "similarity of siblings"),
    Curve("experts", "effective_rank", "effective rank of experts", True, False),
    Curve("experts", "gradient_norm", "gradient norm of experts", True, False),
    Curve("gates", "largest_weight", "largest weight of gates"),
    Curve("gates", "effective_experts", "effective experts of gates", True),
    Curve("gates", "input_dependence", "input dependence of gates", True),
    Curve("tasks", "task", "mass from a task's own experts", True),
    Curve("feature_gates", "effect", "effect of feature gates", True),
)


def curve_section(runs: Runs) -> Section:
    """Makes the section on how the experts and gates changed during training."""
    measured = {run: thinned(one["curves"]) for run, one in runs.items()}
    measured = {run: curves for run, curves in measured.items() if len(curves) > 1}
    blocks = []
    for name, kinds in _PLOTS.items():
        plots = [
            plot
            for run, curves in measured.items()
            for plot in _plots(runs, run, curves, name, kinds)
        ]
        if plots:
            blocks.append(Block(name.capitalize(), "", plots))
    return Section(
        "training",
        "Training curves",
        "Measured repeatedly on the same held-out rows. A line for each expert, gate "
        "or task; the three that end worst are coloured and named.",
        blocks if measured else [Block("", _MISSING)],
    )


def thinned(curves: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Thins to at most `_MOST_STEPS` measurements, including the first and last."""
    if len(curves) <= _MOST_STEPS:
        return list(curves)
    places = np.linspace(0, len(curves) - 1, _MOST_STEPS).round().astype(int)
    return [curves[place] for place in places]


def _plots(
    runs: Runs,
    run: str,
    curves: Sequence[Mapping[str, Any]],
    name: str,
    kinds: Sequence[str],
) -> list[Plot]:
    panels = [
        _make_panel(curve, lines)
        for curve in CURVES
        if curve.kind in kinds and _is_worth_it(curve, lines := _lines(curves, curve))
    ]
    if not panels:
        return []
    steps = [one["step"] for one in curves]
    heading = titled(runs, run, f"{name} over the steps of the training")
    return [
        Plot(
            named(runs, run, f"curves-{name}"),
            f"Curves of {', '.join(panel.title for panel in panels)}",
            partial(draw_panels, steps, panels, heading, 3),
            [_curve_table(runs, run, panel) for panel in panels],
        )
    ]


def _is_worth_it(curve: Curve, lines: Lines) -> bool:
    """Whether there are lines; tasks without experts have an own mass of 0."""
    values = [value for line in lines.values() for value in line]
    return any(values) if curve.kind == "tasks" else bool(values)


def _lines(curves: Sequence[Mapping[str, Any]], curve: Curve) -> Lines:
    start, end = f"{curve.kind}/", f"/{curve.figure}"
    keys = dict.fromkeys(key for one in curves for key in one["values"])
    return {
        key[len(start) : -len(end)]: [one["values"].get(key) for one in curves]
        for key in keys
        if key.startswith(start) and key.endswith(end)
    }


def _make_panel(curve: Curve, lines: Lines) -> Panel:
    known = [x for values in lines.values() for x in values if x is not None]
    top = max(known) * 1.05 or 1.0
    # Shares of similar size can be distinguished only on their own scale.
    return Panel(curve.title, lines, curve.lowest, curve.is_share, (0.0, top))


def _curve_table(runs: Runs, run: str, panel: Panel) -> Table:
    write = percent if panel.is_share else decimal
    rows = []
    for name, values in panel.lines.items():
        known = [x for x in values if x is not None]
        ends = (known[0], known[-1], min(known), max(known))
        rows.append([name, *map(write, ends)])
    columns = ["", "first", "last", "lowest", "highest"]
    return Table(titled(runs, run, panel.title), columns, rows)
