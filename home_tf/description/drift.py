"""Measuring how much the distribution of a column differs between two splits."""

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]

# Added to every bin, so that empty bins have a logarithm.
_ADDED = 0.5


def population_stability_index(reference: Counts, counts: Counts) -> float | None:
    """The population stability index (PSI), minus its expectation under no change.

    PSI is `sum((q - p) * log(q / p))` over the shares `p` and `q` of the bins. Even if
    nothing has changed, chance gives about `(bins - 1) * (1 / n + 1 / m)` for `n` and
    `m` rows, which is subtracted. Half a row is added to each bin, and bins that
    are empty on both sides are left out.

    By convention, less than 0.1 is negligible, 0.1 to 0.25 is a moderate change, and
    more than 0.25 a large one.

    Args:
        reference: `(bins,)`, the training rows in each bin.
        counts: `(bins,)`, the rows of the other split in each bin.

    Returns:
        The index, at least 0; None if either has no rows.

    References:
        Siddiqi (2006), Credit Risk Scorecards: the index and how to read it. Yurdakul
        and Naranjo (2020), Statistical properties of the population stability index:
        its distribution under no change.
    """
    reference, counts = np.asarray(reference), np.asarray(counts)
    filled = (reference + counts) > 0
    reference, counts = reference[filled], counts[filled]
    if not reference.sum() or not counts.sum():
        return None
    before, after = _shares(reference), _shares(counts)
    index = float(((after - before) * np.log(after / before)).sum())
    chance = (len(counts) - 1) * (1 / reference.sum() + 1 / counts.sum())
    return max(0.0, index - float(chance))


def _shares(counts: Counts) -> npt.NDArray[np.float64]:
    return (counts + _ADDED) / (counts.sum() + _ADDED * len(counts))
