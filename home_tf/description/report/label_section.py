"""The section on rows and labels."""

from functools import partial

from home_tf.description.description import Description, LabelInSplit
from home_tf.description.report.label_plots import draw_rates, draw_rows
from home_tf.report.contents import Block, Plot, Section, Table
from home_tf.report.numbers import UNDEFINED, percent, whole


def label_section(description: Description) -> Section:
    """Makes the section on the numbers of rows and of positives."""
    rows = Plot(
        "rows",
        "Rows of each split",
        partial(draw_rows, description.rows, "Rows of each split"),
    )
    rates = Plot(
        "rates",
        "Rate of positives of each label in each split, with 95% intervals",
        partial(draw_rates, description.labels, "Rate of positives"),
        [_label_table(description)],
    )
    has_rates = any(
        one.rate for splits in description.labels.values() for one in splits.values()
    )
    text = "" if has_rates else "No column has both 0 and 1."
    return Section(
        "labels",
        "Rows and labels",
        "How many rows there are, and the share of positives of each label with its "
        "95% interval.",
        [Block("", text, [rows, rates] if has_rates else [rows])],
    )


def _label_table(description: Description) -> Table:
    rows = [
        [name, split, *_cells(one)]
        for name, splits in description.labels.items()
        for split, one in splits.items()
    ]
    columns = ["label", "split", "missing", "positives", "rate", "95% of the rate"]
    columns += ["change from training", "95% of the change"]
    return Table("Labels", columns, rows, words=[1])


def _cells(one: LabelInSplit) -> list[str]:
    return [
        percent(one.missing),
        whole(one.positives),
        _exact(one.rate),
        _interval(one.interval),
        _change(one.change),
        _interval(one.change_interval, signed=True),
    ]


def _exact(rate: float | None) -> str:
    return UNDEFINED if rate is None else f"{rate:.2%}"


def _change(change: float | None) -> str:
    minus = "\N{MINUS SIGN}"
    return UNDEFINED if change is None else f"{change:+.2%}".replace("-", minus)


def _interval(ends: tuple[float, float] | None, *, signed: bool = False) -> str:
    if ends is None:
        return UNDEFINED
    return " to ".join(_change(end) if signed else _exact(end) for end in ends)
