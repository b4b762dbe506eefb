"""Which day of the logs belongs to which split."""

from collections.abc import Sequence

from home_tf.errors import HomeError

HISTORY = "history"


def assign_splits(
    dates: Sequence[int],
    *,
    validation_date: int | None = None,
    test_date: int | None = None,
    first_date: int | None = None,
) -> dict[int, str]:
    """Assigns each day to a split.

    The test day is the last one, the validation day the one before it, and training
    days are all days before the validation day. Days before `first_date`, or between
    the validation and the test day, count for history features only. Days after the
    test day are left out.

    Args:
        dates: The days of the logs, ascending, such as 20220425.
        validation_date: The validation day, if not the day before the test day.
        test_date: The test day, if not the last one.
        first_date: The first training day, if not the first day; it need not be in
            the logs.

    Returns:
        `"train"`, `"validation"`, `"test"` or `HISTORY` for each day up to the test
        day, in order.

    Raises:
        HomeError: If there are fewer than three days, a chosen day is not in the logs,
            or no day is left to train on.
    """
    if len(dates) < 3:
        raise HomeError(
            "the logs must cover at least 3 dates, to train, validate and test on. "
            f"Received: {list(dates)}"
        )
    test = dates[-1] if test_date is None else _known("test_date", test_date, dates)
    validation = _before(test, dates) if validation_date is None else validation_date
    _known("validation_date", validation, dates)
    if validation >= test:
        raise HomeError(
            "`validation_date` must be earlier than the test date. "
            f"Received: {validation} and {test}"
        )
    first = dates[0] if first_date is None else first_date
    if not any(first <= date < validation for date in dates):
        raise HomeError(
            "no day is left to train on: training days are those from `first_date` to "
            f"the day before validation. Received: {first} and {validation}"
        )
    special = {validation: "validation", test: "test"}
    return {
        date: special.get(date, "train" if first <= date < validation else HISTORY)
        for date in dates
        if date <= test
    }


def _known(name: str, date: int, dates: Sequence[int]) -> int:
    if date not in dates:
        raise HomeError(
            f"`{name}` must be a date of the logs, {dates[0]} to {dates[-1]}. "
            f"Received: {date}"
        )
    return date


def _before(test: int, dates: Sequence[int]) -> int:
    earlier = [date for date in dates if date < test]
    if not earlier:
        raise HomeError(
            f"`test_date` must have a day before it, to validate on. Received: {test}"
        )
    return earlier[-1]
