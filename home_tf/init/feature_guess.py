"""Guessing the feature that reads a column, from the column's profile."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from home_tf.init.column_profile import FEW, ColumnProfile
from home_tf.init.names import (
    is_amount,
    is_code,
    is_label,
    is_outcome,
    is_row_weight,
)
from home_tf.init.sql import quoted

# Widths of embeddings, each up to a number of distinct values.
_WIDTHS = {3: 2, FEW: 4, 1000: 8, 10**12: 16}
# From this many values, rare ones are out of vocabulary; from the second, all are
# hashed.
_LARGE, _VERY_LARGE, _ENORMOUS = 1000, 10_000, 2_000_000
_BUCKETS = 2**20
_LONGEST_LIST = 20
_FREE_TEXT = 50


@dataclass(frozen=True)
class FeatureGuess:
    """A column as a feature, or the reason why it is not one.

    Attributes:
        column: The column.
        name: The record column and the feature.
        feature: The keys of the feature; None if it is left out.
        why: The reason, in a few words.
        made_of: Its SQL in `data.columns`; None if it is not derived.
    """

    column: str
    name: str
    feature: Mapping[str, Any] | None
    why: str
    made_of: str | dict[str, Any] | None = None


@dataclass(frozen=True)
class GuessFeature:
    """Guesses features.

    Attributes:
        log: The name of the log's files.
        rows: How many rows the log has.
        matched: The share of the log's rows that have a match, by table.
        keys: The key of each table, for messages.
        ids: Columns that are ids, whatever their numbers look like.
    """

    log: str
    rows: int
    matched: Mapping[str, float] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    ids: frozenset[str] = frozenset()

    def guess(self, profile: ColumnProfile, name: str) -> FeatureGuess:
        """Guesses the feature, with a given name, that reads a column."""
        reason = self._reason_to_leave_out(profile)
        if reason:
            return FeatureGuess(profile.column, name, None, reason)
        if profile.is_list:
            feature, why = self._list(profile)
        elif self._is_number(profile):
            feature, why = self._number(profile)
        else:
            feature, why = self._categorical(profile)
        return FeatureGuess(profile.column, name, feature, why, _made_of(profile, name))

    def _reason_to_leave_out(self, profile: ColumnProfile) -> str | None:
        name, kind = profile.column, profile.type
        if profile.column in self.ids:
            return None
        if not profile.distinct:
            return "always missing"
        if profile.distinct == 1 and not kind.is_nested():
            (value,) = profile.values
            return f"always {shown(value)}"
        if not _is_readable(kind):
            return f"a feature reads numbers, text or lists of ids, and this is {kind}"
        if is_row_weight(name):
            return "the weight of a row? `sample_weight` of a task takes it"
        if profile.source == self.log and profile.is_number and is_outcome(name):
            return "sounds like an outcome, not known when a row is ranked"
        return self._reason_of_uniqueness(profile)

    def _reason_of_uniqueness(self, profile: ColumnProfile) -> str | None:
        if profile.is_list or not profile.is_unique:
            return None
        if profile.type.is_string() and profile.length >= _FREE_TEXT:
            return f"free text of {profile.length:.0f} letters"
        if profile.is_number and not (profile.is_whole and is_code(profile.column)):
            return "numbers the rows" if _numbers_rows(profile) else None
        if profile.source != self.log:
            return (
                f"hardly a value is there twice: it says what {self._key(profile)} does"
            )
        return "hardly a value is in two rows: nothing can be learned of it"

    def _key(self, profile: ColumnProfile) -> str:
        return self.keys[profile.source]

    def _is_number(self, profile: ColumnProfile) -> bool:
        name = profile.column
        if not profile.is_number or name in self.ids:
            return False
        if not profile.is_whole or is_amount(name):
            return True
        return not is_code(name) and profile.distinct > FEW

    def _list(self, profile: ColumnProfile) -> tuple[dict[str, Any], str]:
        feature, _ = self._categorical(profile)
        why = f"lists of {profile.distinct:,} values, up to {profile.longest:,} in one"
        return feature, why

    def _categorical(self, profile: ColumnProfile) -> tuple[dict[str, Any], str]:
        distinct = profile.distinct
        width = next(width for most, width in _WIDTHS.items() if distinct <= most)
        feature: dict[str, Any] = {"type": "categorical"}
        if distinct >= _ENORMOUS:
            feature |= {"encoding": "hashed", "buckets": _BUCKETS}
        feature["width"] = width
        if _LARGE < distinct < _ENORMOUS:
            is_often_seen = distinct > _VERY_LARGE and self.rows >= 5 * distinct
            feature["min_count"] = 5 if is_often_seen else 2
        why = f"{distinct:,} values{_missing(profile)}"
        if profile.source == self.log and profile.is_binary:
            why += "; a label? no name says so" if not is_label(profile.column) else ""
        return feature, why

    def _number(self, profile: ColumnProfile) -> tuple[dict[str, Any], str]:
        feature: dict[str, Any] = {"type": "numeric"}
        why = f"{_short(profile.least)} to {_short(profile.greatest)}"
        if _is_skewed(profile):
            feature["transform"] = "log1p"
            why += ", skewed"
        elif _has_long_tails(profile):
            feature |= {"encoding": "bucketized", "buckets": 20, "width": 8}
            why += ", long tails"
        is_unmatched = self.matched.get(profile.source, 1.0) < 1
        if profile.missing or is_unmatched or not profile.is_finite:
            feature["nullable"] = True
        return feature, why + _missing(profile)


def shown(value: object) -> str:
    """Shortens a value for a comment to a single line."""
    text = repr(value)
    return text if len(text) <= FEW else f"{text[:FEW]}..."


def _is_readable(kind: Any) -> bool:
    if kind.is_array():
        inner = kind.value_type
        return bool(inner.is_integer() or inner.is_string())
    if kind.is_json() or kind.is_nested() or kind.is_binary():
        return False
    is_single = kind.is_numeric() or kind.is_boolean() or kind.is_string()
    return bool(is_single or kind.is_uuid())


def _made_of(profile: ColumnProfile, name: str) -> str | dict[str, Any] | None:
    column = quoted(profile.column)
    made_of: dict[str, Any] = {} if name == profile.column else {"sql": column}
    if profile.separator:
        made_of["separator"] = profile.separator
    if profile.longest > _LONGEST_LIST:
        made_of["length"] = _LONGEST_LIST
    if not profile.is_finite:
        return f"CASE WHEN isfinite({column}) THEN {column} END"
    return column if made_of == {"sql": column} else made_of or None


def _missing(profile: ColumnProfile) -> str:
    if not profile.missing:
        return ""
    return f", {max(profile.missing / profile.rows, 0.001):.1%} missing"


def _numbers_rows(profile: ColumnProfile) -> bool:
    if not profile.is_whole or is_amount(profile.column):
        return False
    return bool(profile.greatest - profile.least < 1.1 * profile.rows)


def _is_skewed(profile: ColumnProfile) -> bool:
    high = max(profile.quantiles["high"], profile.greatest / 10)
    return profile.least >= 0 and high > 10 * max(profile.quantiles["median"], 1)


def _has_long_tails(profile: ColumnProfile) -> bool:
    usual = profile.quantiles["high"] - profile.quantiles["low"]
    return bool(profile.greatest - profile.least > 20 * usual)


def _short(number: Any) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{float(number):,.4g}"
