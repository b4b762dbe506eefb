"""The number of steps per epoch, and the minimum size of its last batch."""

import math

# Batch normalisation would use the statistics of only a few rows.
SMALLEST_SHARE = 0.25


def smallest_batch(rows: int, batch_size: int) -> int:
    """The minimum number of rows in a training step.

    An epoch's last batch is left out if it has less than a quarter of `batch_size`
    rows; because of the shuffling, these are other rows in the next epoch.

    Args:
        rows: Rows per epoch.
        batch_size: Rows of a full batch.
    """
    return 1 if rows <= batch_size else math.ceil(SMALLEST_SHARE * batch_size)


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Steps per epoch; the last one has at least `smallest_batch` rows."""
    full, rest = divmod(rows, batch_size)
    return full + (rest >= smallest_batch(rows, batch_size))
