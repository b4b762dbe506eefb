"""Bootstrap intervals of AUC and GAUC, resampling whole groups or rows."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from home_tf.errors import HomeError, check_at_least
from home_tf.evaluation.inputs import Array, Floats, group_codes, labelled_rows
from home_tf.evaluation.ranking import RankedRows, per_group_auc, weighted_mean

Counts = npt.NDArray[np.intp]


def bootstrap_over_groups(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    groups: npt.ArrayLike | None,
    *,
    replicates: int = 500,
    confidence: float = 0.95,
    seed: int = 0,
    numeric: bool = False,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of AUC and GAUC from a bootstrap over users.

    Each replicate draws as many users as there are, with replacement, and takes all
    rows of each drawn user as often as the user was drawn, because rows of the same
    user are not independent. The draws depend only on the seed and on `groups`, so
    tasks and models evaluated on the same rows see the same replicates. A replicate
    without positives or without negatives has no AUC and is left out of the interval. A
    row without a user is drawn on its own.

    Args:
        labels: `(rows,)` or `(rows, 1)`; 0 or 1, NaN or -1 where missing.
        scores: `(rows,)` or `(rows, 1)`; probabilities, logits or any other scores.
        groups: `(rows,)` of integers or strings: the user of each row, -1 or `""` if
            unknown; None draws rows.
        replicates: Number of draws.
        confidence: Share of the replicates that lie inside the interval.
        seed: Seed of the draws, not negative.
        numeric: As in `auc`.

    Returns:
        `{"auc": (low, high), "gauc": (low, high)}`, NaN where no replicate has a value;
        without groups there is no `"gauc"`.

    Raises:
        HomeError: As in `gauc`, or if `replicates` or `confidence` is out of range.
    """
    if not 0 < confidence < 1:
        raise HomeError(
            f"`confidence` must be between 0 and 1. Received: {confidence!r}"
        )
    values = bootstrap_values(
        labels, scores, groups, replicates=replicates, seed=seed, numeric=numeric
    )
    return {
        metric: percentile_interval(drawn, confidence)
        for metric, drawn in values.items()
    }


def bootstrap_values(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    groups: npt.ArrayLike | None,
    *,
    replicates: int = 500,
    seed: int = 0,
    numeric: bool = False,
) -> dict[str, Floats]:
    """Returns AUC and GAUC of every replicate of `bootstrap_over_groups`.

    Replicate `i` of two models evaluated on the same rows has the same users, so the
    differences of their values form a paired bootstrap.

    Args:
        labels: As in `bootstrap_over_groups`, as are the other arguments.
        scores: The scores.
        groups: The user of each row, or None.
        replicates: Number of draws.
        seed: Seed of the draws.
        numeric: As in `auc`.

    Returns:
        `{"auc": (replicates,), "gauc": (replicates,)}`, NaN where undefined; without
        groups there is no `"gauc"`.

    Raises:
        HomeError: As in `gauc`, or if `replicates` is out of range.
    """
    check_at_least("replicates", replicates, 1)
    known, predicted, valid = labelled_rows(labels, scores, numeric=numeric)
    units, users, codes = _number_units(groups, len(valid))
    if users is not None:
        named = np.where(codes < len(users), codes, -1)
        present, aucs, impressions = per_group_auc(
            known, predicted, named[valid], numeric=numeric
        )
    rows, codes = RankedRows(known, predicted), codes[valid]
    values = np.full((2, replicates), np.nan)
    for i, drawn in enumerate(_draws(units, replicates, seed)):
        values[0, i] = rows.auc(drawn[codes])
        if users is not None:
            values[1, i] = weighted_mean(aucs, impressions * drawn[present])
    found = {"auc": values[0]}
    return found if users is None else {**found, "gauc": values[1]}


def _number_units(
    groups: npt.ArrayLike | None, rows: int
) -> tuple[int, Array | None, npt.NDArray[np.intp]]:
    """Numbers the sampling units: how many, how many users, and each row's unit."""
    if groups is None:
        return rows, None, np.arange(rows)
    users, codes = group_codes(groups, rows)
    alone = codes < 0
    codes = np.where(alone, len(users) + np.cumsum(alone) - 1, codes)
    return len(users) + int(alone.sum()), users, codes


def _draws(users: int, replicates: int, seed: int) -> Iterator[Counts]:
    """Yields how often each user is drawn in each replicate."""
    random = np.random.default_rng(seed)
    for _ in range(replicates):
        drawn = random.integers(users, size=users) if users else np.empty(0, np.intp)
        yield np.bincount(drawn, minlength=users)


def percentile_interval(
    values: Floats, confidence: float = 0.95
) -> tuple[float, float]:
    """The interval that holds a share of the values, ignoring NaN."""
    values = values[~np.isnan(values)]
    if not values.size:
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
