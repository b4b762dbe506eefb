"""How a report draws splits: each in its own colour, in all plots."""

from collections.abc import Iterable, Mapping
from typing import Any

from home_tf.description.description import Feature
from home_tf.report.style import series_looks, shorten

Features = Mapping[str, Feature]


def split_looks(
    features: Features, splits: Iterable[str], *, linewidth: float
) -> dict[str, dict[str, Any]]:
    """Returns the line styles of splits, by their shortened names.

    Args:
        features: Features with all splits, whose order determines the colours.
        splits: The splits that are drawn.
        linewidth: How wide their lines are.

    Returns:
        `{name: style of the line}`.
    """
    names = dict.fromkeys(split for one in features.values() for split in one.splits)
    looks = series_looks(names)
    return {
        shorten(split, 24): {
            "color": looks[shorten(split, 24)]["color"],
            "linewidth": linewidth,
            "solid_capstyle": "butt",
        }
        for split in splits
    }
