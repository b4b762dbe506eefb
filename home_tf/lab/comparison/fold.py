"""Folds over time: train on the past, validate on a day, test on the next."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from home_tf.config import Config, override_config
from home_tf.data import RecordSchema
from home_tf.errors import HomeError
from home_tf.prepare import list_days, prepare


@dataclass(frozen=True)
class Fold:
    """One fold; its training days are all days before the validation day.

    Attributes:
        number: 0 is the earliest fold, the only one that is tuned on.
        validation_date: Such as 20220505.
        test_date: The day after it.
        folder: The prepared records.
    """

    number: int
    validation_date: int
    test_date: int
    folder: Path


def make_folds(config: Config, source: Path, folder: Path, count: int) -> list[Fold]:
    """Chooses the days of the folds.

    The last fold tests on the last day, each earlier fold a day earlier. So a fold's
    validation day is the test day of the fold before it, and only the validation day of
    the earliest fold is no fold's test day.

    Args:
        config: The configuration, with a section `data`.
        source: The folder of the files that it names.
        folder: Where the folds are to be prepared.
        count: Number of folds.

    Returns:
        The folds, earliest first.

    Raises:
        HomeError: If there are too few days.
    """
    dates = list_days(source, config)
    # Each fold has a test day, and the first two days train and validate the earliest.
    if count > len(dates) - 2:
        raise HomeError(
            f"{source}: has {len(dates)} days, enough for {max(0, len(dates) - 2)} "
            f"folds. Received: `folds` {count}"
        )
    return [
        Fold(
            number=number,
            validation_date=dates[number - count - 1],
            test_date=dates[number - count],
            folder=folder / f"fold-{number}",
        )
        for number in range(count)
    ]


def prepare_fold(
    fold: Fold, config: Config, source: Path, say: Callable[[str], None]
) -> None:
    """Prepares the records of a fold, unless they are there."""
    if (fold.folder / "schema.json").is_file():
        RecordSchema.load(fold.folder)
        return
    say(
        f"preparing fold {fold.number}: validation {fold.validation_date}, test "
        f"{fold.test_date}"
    )
    split = {"by": "days", "validation": fold.validation_date, "test": fold.test_date}
    prepare(source, override_config(config, {"data.split": split}), fold.folder)
