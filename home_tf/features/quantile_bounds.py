"""Where buckets begin and end that hold equal shares of the training rows."""

from collections.abc import Sequence


def quantile_bounds(quantiles: Sequence[float], buckets: int) -> list[float]:
    """Picks the bounds of buckets out of quantiles.

    Args:
        quantiles: Quantiles at equal steps from the least to the greatest number.
        buckets: Number of buckets.

    Returns:
        The `buckets + 1` bounds, ascending, from the least to the greatest number;
        where many rows have the same number, several are alike.
    """
    last = len(quantiles) - 1
    return [quantiles[round(i * last / buckets)] for i in range(buckets + 1)]
