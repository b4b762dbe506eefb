"""The sections on features: drift, distributions, vocabularies, and all figures."""

from functools import partial

from home_tf.description.description import Description, Feature
from home_tf.description.id_counts import MOST_DISTINCT
from home_tf.description.report.bar_plots import draw_drift, draw_out_of_vocabulary
from home_tf.description.report.panel_plots import draw_coverage, draw_distributions
from home_tf.description.report.split_looks import Features
from home_tf.report.contents import Block, Plot, Section, Table
from home_tf.report.numbers import UNDEFINED, decimal, percent, significant, whole

# The number of features that fit in a plot.
_MOST_BARS, _MOST_PANELS = 40, 40
# A smaller vocabulary needs no curve.
_LARGE_VOCABULARY = 50


def drift_section(description: Description) -> Section:
    """Makes the section on how far each split is from the training rows."""
    drifting = _largest(description.features, "drift")
    unknown = _largest(description.features, "out_of_vocabulary")
    unknown = {n: one for n, one in unknown.items() if one.out_of_vocabulary}
    plots = []
    if drifting:
        title = _title("Drift", drifting, _MOST_BARS)
        shown = _first(drifting, _MOST_BARS)
        plots.append(
            Plot(
                "drift",
                "Drift of each feature in each split, the largest first",
                partial(draw_drift, shown, title),
                [_split_table("Drift", drifting, "drift")],
            )
        )
    if unknown:
        title = _title("Out of vocabulary", unknown, _MOST_BARS)
        shown = _first(unknown, _MOST_BARS)
        plots.append(
            Plot(
                "out-of-vocabulary",
                "Share of values out of vocabulary of each feature in each split",
                partial(draw_out_of_vocabulary, shown, title),
                [_split_table("Out of vocabulary", unknown, "out_of_vocabulary")],
            )
        )
    text = "" if plots else "No feature has a vocabulary or quantiles to compare with."
    return Section(
        "drift",
        "Drift",
        "How far each split is from the training rows. Dotted: moderate drift. Dashed: "
        "large. Bars longer than 1 are cut off, with their value next to them.",
        [Block("", text, plots)],
    )


def number_section(description: Description) -> Section:
    """Makes the section on how the numbers are distributed in each split."""
    numbers = _largest(description.features, "drift")
    numbers = {name: one for name, one in numbers.items() if len(one.edges) > 1}
    title = _title("Distributions of numbers", numbers, _MOST_PANELS)
    plot = Plot(
        "distributions",
        "Share of the numbers of each split in each bin, a panel for each feature",
        partial(draw_distributions, _first(numbers, _MOST_PANELS), title),
        [_split_table("Mean", numbers, "mean")],
    )
    none = "No column of numbers has quantiles in `statistics.json`."
    return Section(
        "numbers",
        "Numbers",
        "The share of each split in each bin. The bins are the deciles of the training "
        "rows, or fewer if many rows have the same number; some of their edges are "
        "written below.",
        [Block("", "" if numbers else none, [plot] if numbers else [])],
    )


def vocabulary_section(description: Description) -> Section:
    """Makes the section on how much of each split frequent training values cover."""
    large = {
        name: one
        for name, one in description.features.items()
        if one.coverage_places and one.coverage_places[-1] >= _LARGE_VOCABULARY
    }
    title = _title("Coverage of vocabularies", large, _MOST_PANELS)
    plot = Plot(
        "coverage",
        "Share of the values of each split that the most frequent values cover",
        partial(draw_coverage, _first(large, _MOST_PANELS), title),
    )
    none = f"No vocabulary has {_LARGE_VOCABULARY} values or more."
    return Section(
        "vocabularies",
        "Vocabularies",
        "The share of each split that the most frequent values of the training rows "
        "cover. The gap to 100% at the right end is out of vocabulary.",
        [Block("", "" if large else none, [plot] if large else [])],
    )


def feature_section(description: Description) -> Section:
    """Makes the section with all figures of all features."""
    table = _feature_table(description)
    return Section(
        "features",
        "All features",
        "In column order.",
        [Block("", tables=[table])],
    )


def _feature_table(description: Description) -> Table:
    splits = list(description.rows)
    columns = ["feature", "kind", "distinct values"]
    for figure in ("missing", "out of vocabulary", "drift"):
        columns += [f"{figure}, {split}" for split in splits]
    rows = []
    for name, one in description.features.items():
        each = [one.splits[split] for split in splits]
        rows.append([name, one.kind, distinct_values(one)])
        rows[-1] += [percent(split.missing) for split in each]
        rows[-1] += [percent(split.out_of_vocabulary) for split in each]
        rows[-1] += [decimal(split.drift, 2) for split in each]
    kept = [i for i in range(len(columns)) if _is_worth_it([row[i] for row in rows])]
    rows = [[row[i] for i in kept] for row in rows]
    return Table("Features", [columns[i] for i in kept], rows, words=[1])


def _is_worth_it(cells: list[str]) -> bool:
    """Whether a column of a table is informative."""
    return any(cell != UNDEFINED for cell in cells)


def distinct_values(feature: Feature) -> str:
    """The number of distinct values in the training rows."""
    is_capped = not feature.has_vocabulary and feature.distinct == MOST_DISTINCT
    return ("over " if is_capped else "") + whole(feature.distinct)


def _split_table(caption: str, features: Features, figure: str) -> Table:
    splits = list(dict.fromkeys(s for one in features.values() for s in one.splits))
    write = {"drift": lambda x: decimal(x, 2), "mean": significant}.get(figure, percent)
    rows = [
        [name, *(write(getattr(one.splits[split], figure)) for split in splits)]
        for name, one in features.items()
    ]
    return Table(caption, ["feature", *splits], rows)


def _largest(features: Features, figure: str) -> Features:
    """Selects the features that have a figure, the largest first."""
    known = {n: one for n, one in features.items() if getattr(one, figure) is not None}
    order = sorted(known, key=lambda name: -getattr(known[name], figure))
    return {name: known[name] for name in order}


def _first(features: Features, most: int) -> Features:
    return dict(list(features.items())[:most])


def _title(title: str, features: Features, most: int) -> str:
    if len(features) <= most:
        return title
    return f"{title}, the first {most} of {len(features)}"
