"""A plot that compares runs side by side: experts above, gates below."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.figure import Figure

from home_tf.diagnosis.report.expert_names import without_level
from home_tf.diagnosis.report.expert_plots import (
    ZEROS_LEGEND,
    Experts,
    draw_boxes,
    draw_zeros,
    value_limits,
)
from home_tf.diagnosis.report.gate_grids import LAST, gate_grids
from home_tf.diagnosis.report.heat_map import (
    Grid,
    draw_scale,
    fill_heat_map,
    label_height,
    name_columns,
    shares,
)
from home_tf.diagnosis.report.runs import Runs, architecture_of
from home_tf.report.canvas import (
    EDGE,
    TITLE_HEIGHT,
    new_figure,
    place_axes,
    place_legend,
    place_text,
)
from home_tf.report.style import MUTED, shorten, style, text_width

_WIDTH = 3.6
_TOP = EDGE + TITLE_HEIGHT + 0.3
_OUTPUTS, _ZEROS, _ROW, _GAP = 1.3, 0.7, 0.21, 0.4
_HEAT = _TOP + _OUTPUTS + _GAP + _ZEROS + _GAP


@dataclass(frozen=True)
class _Column:
    """The column of a run: the experts that the gates of its tasks see, or all."""

    title: str
    experts: Experts
    grid: Grid | None

    @classmethod
    def of(cls, run: str, one: Mapping[str, Any]) -> "_Column":
        kind = architecture_of(one)
        title = kind if run.lower() == kind.lower() else f"{kind} ({shorten(run, 24)})"
        gates = [gate for gate in one["gates"].values() if gate["task"] is not None]
        seen = {name for gate in gates for name in gate["weights"]} or one["experts"]
        experts = {name: each for name, each in one["experts"].items() if name in seen}
        return cls(title, experts, gate_grids(one, "contributions").get(LAST))

    @property
    def names(self) -> list[str]:
        """The labels of the experts."""
        return list(without_level(self.experts).values())


def side_by_side(diagnoses: Runs) -> Figure:
    """Draws the outputs of experts, how many are zero, and what the gates take.

    There is a column for each run, with one for each expert that the gates of the tasks
    see, or for every expert if there are no such gates.

    Args:
        diagnoses: What `diagnose_run` returns, by the name of the run.

    Returns:
        A Matplotlib figure, 9.4 inches wide for two runs.
    """
    with style():
        return _draw([_Column.of(run, one) for run, one in diagnoses.items()])


def _draw(columns: Sequence[_Column]) -> Figure:
    grids = [column.grid for column in columns if column.grid is not None]
    rows = max((len(grid.rows) for grid in grids), default=0)
    left = EDGE + text_width([name for grid in grids for name in grid.rows]) + 0.1
    left = max(left, 0.6)
    below = max(label_height(one.names, _WIDTH / len(one.names)) for one in columns)
    across, bottom = left + _WIDTH, _HEAT + _ROW * rows + below
    figure = new_figure(across * len(columns) + 0.6, bottom)
    limits = value_limits([column.experts for column in columns])
    for number, column in enumerate(columns):
        _draw_column(figure, number * across + left, column, limits)
    if rows:
        high = _ROW * rows
        draw_scale(
            figure, shares(), across * len(columns) + 0.12, _HEAT, min(high, 1.6)
        )
    return figure


def _draw_column(
    figure: Figure, left: float, column: _Column, limits: tuple[float, float, float]
) -> None:
    place_text(figure, left, EDGE + 0.1, column.title, size=11, weight="bold")
    place_text(figure, left, _TOP - 0.14, "outputs of each expert", color=MUTED)
    draw_boxes(
        _place(figure, left, _TOP, _OUTPUTS, column),
        column.experts,
        limits,
        upright=True,
    )
    top = _TOP + _OUTPUTS + _GAP
    place_legend(figure, left, top - 0.14, ZEROS_LEGEND)
    ax = _place(figure, left, top, _ZEROS, column)
    draw_zeros(ax, column.experts, upright=True)
    if column.grid is None:
        name_columns(ax, column.names, _WIDTH / len(column.names))
        return
    text = "contribution of each expert to each task"
    place_text(figure, left, _HEAT - 0.14, text, color=MUTED)
    ax = _place(figure, left, _HEAT, _ROW * len(column.grid.rows), column)
    fill_heat_map(ax, replace(column.grid, owners=()), shares())


def _place(
    figure: Figure, left: float, top: float, height: float, column: _Column
) -> Any:
    ax = place_axes(figure, left, top, _WIDTH, height)
    ax.set_xlim(-0.5, len(column.experts) - 0.5)
    ax.set_xticks([])
    return ax
