"""Tables for the terminal, 80 columns wide, of what a dataset directory holds.

Figures that need attention are marked with `!`.
"""

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from home_tf.description import Description, Feature, LabelInSplit

_LABEL, _FEATURE = 20, 28


def label_table(description: "Description") -> Group:
    """Makes the table of labels: positives and positive rate in each split."""
    table = _table("label", "missing", *description.rows)
    for name, splits in description.labels.items():
        missing = max(one.missing for one in splits.values())
        cells = [_positives(one) for one in splits.values()]
        table.add_row(_short(name, _LABEL), _share(missing), *cells)
    return Group(
        "labels: positives, and their share of the rows with a label",
        table,
        "↓ ↑: the rate is below or above that of the training rows, beyond chance",
    )


def feature_table(description: "Description") -> Group:
    """Makes the table of features: those that need attention first, then by drift."""
    figures = ("distinct", "missing", "out of\nvocab.", "drift")
    table = _table("feature", "kind", *figures)
    table.columns[1].justify = "left"
    for name, one in sorted(description.features.items(), key=_rank):
        table.add_row(_short(name, _FEATURE), one.kind, *_feature_cells(one))
    return Group(
        "features: the largest figure of any split",
        table,
        "drift: population stability index; from 0.1 moderate, from 0.25 large",
    )


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(first, no_wrap=True, vertical="bottom")
    for name in others:
        table.add_column(escape(name), justify="right", no_wrap=True)
    return table


def _short(name: str, length: int) -> str:
    """Shortens a name that is too long by cutting out its middle."""
    if len(name) > length:
        start = (length - 1) // 2
        name = f"{name[:start]}…{name[start + 1 - length :]}"
    return escape(name)


def _positives(one: "LabelInSplit") -> str:
    from home_tf.description.concerns import has_few_positives

    if one.rate is None:
        return _marked("none known")
    low, high = one.change_interval or (0.0, 0.0)
    mark = "↑" if low > 0 else "↓" if high < 0 else " "
    count = _marked(_count(one.positives), has_few_positives(one))
    digits = 1 if one.rate >= 0.1 else 2
    return f"{count} {mark}{one.rate:>5.{digits}%}"


def _count(number: int) -> str:
    return f"{number:,}" if number < 1_000_000 else f"{number / 1e6:.2f}M"


def _rank(item: tuple[str, "Feature"]) -> tuple[bool, float, str]:
    from home_tf.description.concerns import feature_concerns

    name, feature = item
    drift = -1.0 if feature.drift is None else feature.drift
    return not feature_concerns(feature), -drift, name


def _feature_cells(feature: "Feature") -> list[str]:
    from home_tf.description.concerns import feature_concerns

    concerns = feature_concerns(feature)
    cells = {
        "distinct": _distinct(feature),
        "missing": _share(feature.missing),
        "out_of_vocabulary": _share(feature.out_of_vocabulary),
        "drift": "" if feature.drift is None else f"{feature.drift:.2f}",
    }
    return [_marked(text, name in concerns) for name, text in cells.items()]


def _distinct(feature: "Feature") -> str:
    from home_tf.description.id_counts import MOST_DISTINCT

    if feature.distinct is None:
        return "1" if feature.is_constant else ""
    is_capped = not feature.has_vocabulary and feature.distinct >= MOST_DISTINCT
    return f"{'> ' if is_capped else ''}{feature.distinct:,}"


def _share(share: float | None) -> str:
    if share is None:
        return ""
    if 0 < share < 0.0005:
        return "< 0.1%"
    return f"{share:.1%}" if share else "0"


def _marked(text: str, needs_attention: bool = True) -> str:
    return f"[bold red]! {text}[/]" if needs_attention else text
