"""Formatting numbers for reports."""

from collections.abc import Sequence

UNDEFINED = "–"  # noqa: RUF001


def percent(value: float | None) -> str:
    """Formats a share, such as 12.3%."""
    return UNDEFINED if value is None else f"{value:.1%}"


def decimal(value: float | None, digits: int = 3) -> str:
    """Formats a number with a given number of decimals."""
    return UNDEFINED if value is None else f"{value:.{digits}f}"


def whole(value: float | None) -> str:
    """Formats a count, with commas."""
    return UNDEFINED if value is None else f"{value:,.0f}"


def significant(value: float | None) -> str:
    """Formats a number of any scale, to three significant digits."""
    return UNDEFINED if value is None else f"{value:.3g}"


def signed(value: float | None) -> str:
    """Formats a difference, to four decimals."""
    return UNDEFINED if value is None else f"{value:+.4f}".replace("-", "−")  # noqa: RUF001


def between(ends: Sequence[float | None] | None, digits: int = 3) -> str:
    """Formats an interval, such as 0.701 to 0.720."""
    if ends is None or None in ends:
        return UNDEFINED
    return " to ".join(decimal(end, digits) for end in ends)


def any_of(number: int, word: str) -> str:
    """Formats a count with its noun, such as 1 anomaly or 2 anomalies."""
    plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{number} {word if number == 1 else plural}"
