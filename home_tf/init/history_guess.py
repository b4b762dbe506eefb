"""Guessing which history of earlier rows is worth counting."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from home_tf.init.labels import Label
from home_tf.init.names import base_name, new_name
from home_tf.init.sql import quoted

# With more labels, the rates would be more columns than the log has.
_MOST_LABELS = 12
_LIST_LENGTH = 10


@dataclass
class HistoryGuess:
    """The guessed history of earlier rows.

    Attributes:
        counts: `data.history`.
        lists: `data.history_lists`.
        features: The features that read it.
        of_user: The features that belong to the user.
    """

    counts: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, Any] = field(default_factory=dict)
    features: dict[str, dict[str, Any]] = field(default_factory=dict)
    of_user: list[str] = field(default_factory=list)


def guess_history(
    user: str | None, item: str | None, labels: Sequence[Label], taken: Sequence[str]
) -> HistoryGuess:
    """Guesses which history helps: counts and rates of both, and the user's list.

    Args:
        user: The record column of the user.
        item: The record column of the item, if it is embedded.
        labels: The labels.
        taken: The names of all other columns.
    """
    found = HistoryGuess()
    for key in filter(None, (user, item)):
        name = new_name(base_name(key), list(found.counts))
        found.counts[name] = {"key": key}
        _add_rates(found, name, labels, taken)
        if key == user:
            found.of_user = list(found.features)
    if user is not None and item is not None:
        _add_list(found, user, item, labels, taken)
    return found


def _add_rates(
    found: HistoryGuess, name: str, labels: Sequence[Label], taken: Sequence[str]
) -> None:
    count = f"{name}_impressions"
    if count not in taken:
        found.features[count] = {"type": "numeric", "transform": "log1p"}
    for label in labels[:_MOST_LABELS]:
        rate = f"{name}_{label.name}_rate"
        if rate not in taken:
            found.features[rate] = {"type": "numeric"}


def _add_list(
    found: HistoryGuess,
    user: str,
    item: str,
    labels: Sequence[Label],
    taken: Sequence[str],
) -> None:
    """Adds the last items of the user for which the most frequent label was 1."""
    label = max(labels, key=lambda one: one.ones)
    name = f"{base_name(user)}_{label.name}_{base_name(item)}s"
    name = new_name(name, [*taken, *found.features])
    found.lists[name] = {
        "key": user,
        "item": item,
        "when": f"{quoted(label.name)} = 1",
        "length": _LIST_LENGTH,
    }
    found.features[name] = {
        "type": "categorical",
        "table": item,
        "pooling": "attention",
        "attend_with": item,
    }
    found.of_user.append(name)
