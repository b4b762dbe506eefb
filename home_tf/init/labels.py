"""Finding the columns that are labels of tasks."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from home_tf.errors import HomeError
from home_tf.init.column_profile import ColumnProfile
from home_tf.init.names import is_label, is_rating, is_state, new_name, record_name
from home_tf.init.sql import literal, quoted

_YES = {"yes", "y", "true", "t", "1", "positive", "pos", "click", "buy", "success"}
# With fewer ones or zeros there is nothing to learn.
_LEAST = 10
# The highest possible rating, and the share of it from which a rating means "likes".
_BEST, _LIKED = 10, 0.8


@dataclass(frozen=True)
class Label:
    """The label of a task.

    Attributes:
        name: The record column, and the task.
        column: The column that it comes from.
        sql: The SQL that derives it from the column; None if it is the column itself.
        ones: The number of ones.
        known: The number of zeros and ones.
        why: What is known about its values.
        is_guess: Whether it was guessed without a telling name.
    """

    name: str
    column: str
    sql: str | None
    ones: int
    known: int
    why: str
    is_guess: bool = False

    @property
    def rate(self) -> float:
        """The share of ones."""
        return self.ones / self.known

    @property
    def rarer(self) -> int:
        """The number of ones or of zeros, whichever is less."""
        return min(self.ones, self.known - self.ones)


def find_labels(
    profiles: Sequence[ColumnProfile], given: Sequence[str], taken: Collection[str]
) -> list[Label]:
    """Finds the labels: those given, those with a telling name, or the best guess.

    Args:
        profiles: The columns of the log.
        given: The columns that a user named; then no other is a label.
        taken: Names that a derived label cannot have.

    Raises:
        HomeError: If a given column is not a label, or no column can be one.
    """
    if given:
        wanted = [_find(name, profiles) for name in dict.fromkeys(given)]
        return [_given_label(profile, label) for profile, label in _pair(wanted, taken)]
    found = [(p, label) for p, label in _pair(profiles, taken) if label is not None]
    named = [label for profile, label in found if _is_named(profile)]
    labels = [label for label in named if label.rarer >= _LEAST] or named
    if labels:
        return labels
    guessed = [
        replace(label, is_guess=True)
        for profile, label in found
        if not is_state(profile.column)
    ]
    if not guessed:
        raise HomeError(
            "no column looks like a label (1 where something happened, such as a "
            "click, and 0 elsewhere). Name the column with `--label`, or add one with "
            "zeros and ones"
        )
    return guessed[-1:]


def is_named_label(profile: ColumnProfile) -> bool:
    """Whether a column has two values or ratings, and is named like an outcome."""
    return _label(profile, ()) is not None and _is_named(profile)


def _pair(
    profiles: Sequence[ColumnProfile], taken: Collection[str]
) -> list[tuple[ColumnProfile, Label | None]]:
    """Pairs columns with the labels that they can be, under distinct names."""
    pairs = []
    for profile in profiles:
        label = _label(profile, taken)
        pairs.append((profile, label))
        taken = [*taken, label.name] if label else taken
    return pairs


def _is_named(profile: ColumnProfile) -> bool:
    return is_label(profile.column) or _is_rating(profile)


def _label(profile: ColumnProfile, taken: Collection[str]) -> Label | None:
    known = sum(profile.values.values())
    if _is_rating(profile):
        return _rating_label(profile, known, taken)
    if profile.is_list or len(profile.values) != 2:
        return None
    if profile.is_binary:
        name = record_name(profile.column, taken)
        sql = None if name == profile.column else quoted(profile.column)
        ones = profile.values[1]  # booleans, too: True is 1
        return Label(name, profile.column, sql, ones, known, "zeros and ones")
    return _text_label(profile, known, taken) if profile.type.is_string() else None


def _text_label(profile: ColumnProfile, known: int, taken: Collection[str]) -> Label:
    by_rows = sorted(profile.values, key=lambda value: profile.values[value])
    said = [value for value in by_rows if str(value).strip().lower() in _YES]
    one = (said or by_rows)[0]
    column = profile.column
    name = record_name(column, taken) if said else new_name(f"{column}_{one}", taken)
    sql = f"{quoted(profile.column)} = {literal(one)}"
    why = "of two values" if said else "1 is the rarer of two values"
    return Label(name, profile.column, sql, profile.values[one], known, why)


def _rating_label(
    profile: ColumnProfile, known: int, taken: Collection[str]
) -> Label | None:
    limit = math.ceil(_LIKED * float(profile.greatest))
    ones = sum(rows for value, rows in profile.values.items() if value >= limit)
    if ones in (0, known):
        return None
    column = quoted(profile.column)
    why = f"ratings go up to {profile.greatest:g}"
    name = new_name("liked", taken)
    return Label(name, profile.column, f"{column} >= {limit}", ones, known, why)


def _is_rating(profile: ColumnProfile) -> bool:
    return (
        is_rating(profile.column)
        and profile.is_number
        and len(profile.values) > 2
        and profile.least >= 0
        and profile.greatest <= _BEST
    )


def _find(name: str, profiles: Sequence[ColumnProfile]) -> ColumnProfile:
    for profile in profiles:
        if profile.column == name:
            return profile
    listed = ", ".join(profile.column for profile in profiles)
    raise HomeError(
        f"`--label`: no column `{name}` in the log. Its columns are: {listed}"
    )


def _given_label(profile: ColumnProfile, label: Label | None) -> Label:
    if label is None:
        raise HomeError(
            f"`--label`: `{profile.column}` has {profile.distinct:,} values, but a "
            "label must be 0 or 1. Add a column with zeros and ones, such as whether "
            "the value is at least 10"
        )
    return label
