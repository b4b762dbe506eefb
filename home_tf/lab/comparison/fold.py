"""Folds: several splits of the same log, whose test rows are disjoint."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from home_tf.config import Config, SplitConfig, override_config
from home_tf.data import RecordSchema
from home_tf.errors import HomeError
from home_tf.prepare import list_days, prepare
from home_tf.prepare.days import assign_days
from home_tf.prepare.splits import chosen_split, given_day

USUAL_FOLDS = 3


@dataclass(frozen=True)
class Fold:
    """One fold.

    Attributes:
        number: 0 is the earliest fold, the only one that is tuned on.
        split: The section `data.split` that makes it.
        folder: The prepared records.
    """

    number: int
    split: Mapping[str, Any]
    folder: Path


def make_folds(
    config: Config, source: Path, folder: Path, count: int | None = None
) -> list[Fold]:
    """Makes folds of the same kind as `data.split`.

    The last fold is the configured split. By days each earlier fold tests a day
    earlier, by shares the share before. So a fold's validation rows may be the test
    rows of the fold before it, and only those of the earliest fold are no fold's test
    rows. A split by time or by a column is one fold.

    Args:
        config: The configuration, with a section `data`.
        source: The folder of the files that it names.
        folder: Where the folds are to be prepared.
        count: Number of folds; by default 3, or 1 where the split is by time or by a
            column.

    Returns:
        The folds, earliest first.

    Raises:
        HomeError: If there are not enough.
    """
    if config.data is None:
        raise HomeError(
            "the configuration has no section `data`, which says where the rows come "
            "from"
        )
    split = chosen_split(config.data)
    if split.by == "days":
        splits = _by_days(split, list_days(source, config), count or USUAL_FOLDS)
    elif split.by == "shares":
        splits = _by_shares(split, count or USUAL_FOLDS)
    else:
        splits = _given(split, count or 1)
    return folds_of(map(_to_values, splits), folder)


def folds_of(splits: Iterable[Mapping[str, Any]], folder: Path) -> list[Fold]:
    """The folds of splits, `fold-0` and so on in a folder."""
    return [
        Fold(number, split, folder / f"fold-{number}")
        for number, split in enumerate(splits)
    ]


def _by_days(split: SplitConfig, days: list[int], count: int) -> list[SplitConfig]:
    given: dict[str, Any] = {
        name: given_day(name, getattr(split, name))
        for name in ("validation", "test", "first")
    }
    if len(days) >= count + 2:
        found = assign_days(days, **given)
        validation = days.index(found["validation"][0])
        test = days.index(found["test"][0])
        trained_on = len(found["train"])
    else:  # the first two days train and validate the earliest fold
        validation = test = trained_on = max(0, len(days) - 2)
    if count > trained_on:
        raise HomeError(
            f"the log has {len(days)} days, enough for {trained_on} folds. Received: "
            f"`folds` {count}. Ask for fewer, or split `by: shares` in `data.split`"
        )
    return [
        replace(split, validation=days[validation - back], test=days[test - back])
        for back in reversed(range(count))
    ]


def _by_shares(split: SplitConfig, count: int) -> list[SplitConfig]:
    validation, test = split.shares
    shifts = range(split.shift, split.shift + count)
    if validation + (shifts[-1] + 1) * test >= 1:
        raise HomeError(
            f"{count} folds of `data.split` by shares leave no rows to train on: each "
            f"tests on a share of {test:g}, and {validation:g} validate. Ask for fewer "
            "folds, or give a smaller `data.split.test`"
        )
    return [replace(split, shift=shift) for shift in reversed(shifts)]


def _given(split: SplitConfig, count: int) -> list[SplitConfig]:
    if count > 1:
        raise HomeError(
            f"`data.split` by {split.by} is one split, so there is one fold. Received: "
            f"`folds` {count}. Split by days or by shares for several"
        )
    return [split]


def _to_values(split: SplitConfig) -> dict[str, Any]:
    """A section as JSON values, without defaults."""
    values = {
        field.name: getattr(split, field.name)
        for field in fields(split)
        if getattr(split, field.name) != field.default
    }
    return {"by": split.by, **values}


def prepare_fold(
    fold: Fold, config: Config, source: Path, say: Callable[[str], None]
) -> None:
    """Prepares the records of a fold, unless they exist."""
    if (fold.folder / "schema.json").is_file():
        RecordSchema.load(fold.folder)
        return
    split = ", ".join(f"{key} {value}" for key, value in fold.split.items())
    say(f"preparing fold {fold.number}: {split}")
    prepare(
        source,
        override_config(config, {"data.split": dict(fold.split)}),
        fold.folder,
        on_warning=lambda line: say(f"warning: {line}"),
    )
