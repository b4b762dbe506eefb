"""Numbers as the report writes them."""

from collections.abc import Sequence

UNDEFINED = "–"  # noqa: RUF001


def percent(value: float | None) -> str:
    """A share, such as 12.3%."""
    return UNDEFINED if value is None else f"{value:.1%}"


def decimal(value: float | None, digits: int = 3) -> str:
    """A number with so many digits behind the point."""
    return UNDEFINED if value is None else f"{value:.{digits}f}"


def whole(value: float | None) -> str:
    """A count, with commas."""
    return UNDEFINED if value is None else f"{value:,.0f}"


def significant(value: float | None) -> str:
    """A number of any scale, to three digits."""
    return UNDEFINED if value is None else f"{value:.3g}"


def signed(value: float | None) -> str:
    """A difference, to four digits behind the point."""
    return UNDEFINED if value is None else f"{value:+.4f}".replace("-", "−")  # noqa: RUF001


def between(ends: Sequence[float | None] | None, digits: int = 3) -> str:
    """An interval, such as 0.701 to 0.720."""
    if ends is None or None in ends:
        return UNDEFINED
    return " to ".join(decimal(end, digits) for end in ends)


def any_of(number: int, word: str) -> str:
    """A count with its noun, such as 1 anomaly or 2 anomalies."""
    plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{number} {word if number == 1 else plural}"
