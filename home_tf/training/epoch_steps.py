"""How many steps an epoch has, and which last batch is too small to be one."""

import math

# Batch normalisation would take the statistics of a few rows for those of all.
SMALLEST_SHARE = 0.25


def smallest_batch(rows: int, batch_size: int) -> int:
    """The fewest rows of a training step.

    An epoch's last batch with fewer than a quarter of `batch_size` is left out; in
    another order, other rows are in it in the next epoch.

    Args:
        rows: Rows of an epoch.
        batch_size: Rows of a full batch.
    """
    return 1 if rows <= batch_size else math.ceil(SMALLEST_SHARE * batch_size)


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Steps of an epoch, the last one of at least `smallest_batch` rows."""
    full, rest = divmod(rows, batch_size)
    return full + (rest >= smallest_batch(rows, batch_size))
