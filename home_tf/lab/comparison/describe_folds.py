"""Describing in words what folds test on."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.config import SplitConfig


def describe_folds(splits: Sequence[Mapping[str, Any]], *, has_time: bool) -> str:
    """Describes the test rows.

    Args:
        splits: The section `data.split` of each fold, earliest first.
        has_time: Whether the rows have a time.

    Returns:
        A text such as `Tested on day 20220505`.
    """
    first = SplitConfig(**splits[0])
    if first.by == "days":
        days = ", ".join(str(split["test"]) for split in splits)
        return f"Tested on day{'s' if splits[1:] else ''} {days}"
    if first.by == "time":
        return f"Tested on the rows from {first.test} on"
    if first.by == "column":
        return f"Tested on the rows for which `{first.column}` says so"
    share = f"{100 * first.shares[1]:g} % of the rows{' each' if splits[1:] else ''}"
    if has_time:
        stretches = (
            f"{len(splits)} successive stretches of" if splits[1:] else "the end of"
        )
        return f"Tested on {stretches} the time, {share}"
    parts = f"{len(splits)} random, disjoint parts" if splits[1:] else "a random part"
    return f"Tested on {parts}, {share}"
