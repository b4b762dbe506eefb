"""Confidence intervals of proportions and of their differences."""

import math

_Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution


def wilson_interval(positives: float, rows: int) -> tuple[float, float]:
    """The 95 % interval of a proportion; valid for small counts, and even zero.

    Args:
        positives: Number of positive rows.
        rows: Number of rows, at least 1.

    Returns:
        Its ends, in [0, 1].

    References:
        Wilson (1927), Probable inference, the law of succession, and statistical
        inference.
    """
    share = positives / rows
    middle = (share + _Z * _Z / (2 * rows)) / (1 + _Z * _Z / rows)
    half = _Z * math.sqrt(share * (1 - share) / rows + (_Z / (2 * rows)) ** 2)
    half /= 1 + _Z * _Z / rows
    return max(0.0, middle - half), min(1.0, middle + half)


def newcombe_interval(
    positives: float, rows: int, other_positives: float, other_rows: int
) -> tuple[float, float]:
    """The 95 % interval of the difference between two independent proportions.

    Args:
        positives: Number of positive rows in the first sample.
        rows: Number of rows in the first sample, at least 1.
        other_positives: Number of positive rows in the second sample, whose proportion
            is subtracted.
        other_rows: Number of rows in the second sample, at least 1.

    Returns:
        Its ends, in [-1, 1].

    References:
        Newcombe (1998), Interval estimation for the difference between independent
        proportions: comparison of eleven methods. Method 10.
    """
    share, other = positives / rows, other_positives / other_rows
    low, high = wilson_interval(positives, rows)
    other_low, other_high = wilson_interval(other_positives, other_rows)
    difference = share - other
    return (
        difference - math.hypot(share - low, other_high - other),
        difference + math.hypot(high - share, other - other_low),
    )
