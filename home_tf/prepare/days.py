"""Dates as KuaiRand writes them: the integer 20220425 is 25 April 2022."""

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
            f"{where}: `date` must be a day such as 20220425. Received: {number}"
        ) from None
