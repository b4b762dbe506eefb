"""Days as the integer 20220425, 25 April 2022, and which split each belongs to."""

from collections.abc import Sequence
from datetime import date

from home_tf.errors import HomeError


def to_day(number: int, *, where: object = "the source") -> date:
    """Turns 20220425 into a date.

    Args:
        number: Year, month and day as one integer.
        where: Where the number comes from, for the error.

    Returns:
        The date.

    Raises:
        HomeError: If there is no such day.
    """
    try:
        return date(number // 10_000, number // 100 % 100, number % 100)
    except ValueError:
        raise HomeError(
            f"{where} must be a day such as 20220425. Received: {number}"
        ) from None


def assign_days(
    days: Sequence[int],
    *,
    validation: int | None = None,
    test: int | None = None,
    first: int | None = None,
    tests: bool = True,
) -> dict[str, list[int]]:
    """Assigns days to splits.

    The test day is the last one, the validation day the one before it, and training
    days are all days before the validation day. Days before `first`, or between the
    validation and the test day, only serve as history. Days after the test
    day are left out.

    Args:
        days: The days of the log, ascending, such as 20220425.
        validation: The validation day, if not the day before the test day.
        test: The test day, if not the last one.
        first: The first training day, if not the first day; it need not be in the log.
        tests: Whether there is a test day; if not, the validation day is the last one
            by default.

    Returns:
        The days of `train`, `validation` and, if one tests, `test`.

    Raises:
        HomeError: If there are fewer than three days, a chosen day is not in the log,
            or no day is left to train on.
    """
    if len(days) < 2 + tests:
        needs = "3 days, to train, validate and test on"
        raise HomeError(
            "the log must have at least "
            f"{needs if tests else '2 days, to train and to validate on'}. Received: "
            f"{list(days)}. Else split `by` shares or time"
        )
    if tests:
        test = days[-1] if test is None else _known("test", test, days)
        validation = _before(test, days) if validation is None else validation
    validation = days[-1] if validation is None else validation
    _known("validation", validation, days)
    if test is not None and validation >= test:
        raise HomeError(
            "`data.split.validation` must be earlier than the test day. "
            f"Received: {validation} and {test}"
        )
    first = days[0] if first is None else first
    train = [day for day in days if first <= day < validation]
    if not train:
        raise HomeError(
            "no day is left to train on: the training days go from `data.split.first` "
            f"to the day before validation. Received: {first} and {validation}"
        )
    found = {"train": train, "validation": [validation]}
    return found if test is None else {**found, "test": [test]}


def _known(name: str, day: int, days: Sequence[int]) -> int:
    if day not in days:
        raise HomeError(
            f"`data.split.{name}` must be a day of the log, {days[0]} to {days[-1]}. "
            f"Received: {day}"
        )
    return day


def _before(test: int, days: Sequence[int]) -> int:
    earlier = [day for day in days if day < test]
    if not earlier:
        raise HomeError(
            "`data.split.test` must have a day before it to validate on. "
            f"Received: {test}"
        )
    return earlier[-1]
