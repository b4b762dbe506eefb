"""How well scores rank positives over negatives: AUC, and AUC within groups."""

from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.evaluation.inputs import (
    Array,
    Floats,
    group_codes,
    labelled_rows,
    row_weights,
)


def auc(
    labels: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """The area under the ROC curve, exactly.

    The share of the pairs of a positive and a negative in which the positive has the
    higher score; a tie counts half, and a pair weighs the product of its rows' weights.

    Args:
        labels: `(rows,)` or `(rows, 1)`; 0 or 1, NaN or -1 where missing. Rows without
            a label are left out.
        scores: `(rows,)` or `(rows, 1)`: probabilities, logits or anything that ranks.
        weights: `(rows,)`, not negative, or None for ones.

    Returns:
        A value in [0, 1]; NaN if there are no positives or no negatives.

    Raises:
        HomeError: If the lengths differ, a label is not 0, 1 or missing, a score is
            NaN, or a weight is negative or not finite.
    """
    known, predicted, valid = labelled_rows(labels, scores)
    weight = row_weights(weights, valid)
    if not known.size:
        return float("nan")
    order = np.argsort(predicted)
    ties = starts_of_runs(predicted[order])
    positive = (weight * known)[order]
    negative = (weight * (1 - known))[order]
    return float(auc_of_segments(positive, negative, ties, np.zeros(1, int))[0])


def gauc(labels: npt.ArrayLike, scores: npt.ArrayLike, groups: npt.ArrayLike) -> float:
    """The AUC within each group, averaged by impressions (equation 12 of the paper).

    `GAUC = sum_u w_u AUC_u`, with `w_u` the share of the rows that are the user's.
    Users without a positive or without a negative have no AUC: they are left out, and
    the weights of the others are scaled to sum to 1. So are rows without a user.

    Args:
        labels: As in `auc`.
        scores: As in `auc`.
        groups: `(rows,)` of integers or strings: the user of each row; -1 or `""` where
            it is not known.

    Returns:
        A value in [0, 1]; NaN if no group has both classes.

    Raises:
        HomeError: As in `auc`, or if the groups are not integers or strings.
    """
    _, aucs, impressions = per_group_auc(labels, scores, groups)
    return weighted_mean(aucs, impressions)


def per_group_auc(
    labels: npt.ArrayLike, scores: npt.ArrayLike, groups: npt.ArrayLike
) -> tuple[Array, Floats, npt.NDArray[np.int64]]:
    """The AUC of each group.

    Args:
        labels: As in `auc`.
        scores: As in `auc`.
        groups: `(rows,)` of integers or strings: the group of each row, -1 or `""` for
            none.

    Returns:
        The groups that have a row with a label, in ascending order; the AUC of each,
        NaN where it has a single class; its number of rows with a label. Each
        `(groups,)`.

    Raises:
        HomeError: As in `gauc`.
    """
    known, predicted, valid = labelled_rows(labels, scores)
    names, codes = group_codes(groups, len(valid))
    codes = codes[valid]
    grouped = codes >= 0
    known, predicted, codes = known[grouped], predicted[grouped], codes[grouped]
    if not known.size:
        return names[:0], np.empty(0), np.empty(0, np.int64)
    order = _order_by_group_and_score(codes, predicted)
    known, predicted, codes = known[order], predicted[order], codes[order]
    starts = starts_of_runs(codes)
    ties = starts_of_runs(codes, predicted)
    aucs = auc_of_segments(known, 1 - known, ties, np.searchsorted(ties, starts))
    return names[codes[starts]], aucs, np.diff(starts, append=len(codes))


def _order_by_group_and_score(
    codes: npt.NDArray[np.intp], scores: Array
) -> npt.NDArray[np.intp]:
    """The order by group, then by score."""
    if scores.dtype != np.float32 or codes.max() >= 2**32:
        return np.lexsort((scores, codes))
    # One sort of integers is faster. The bits of floats sort as integers do once those
    # of negative numbers are inverted and the sign of the others is set.
    bits = np.ascontiguousarray(scores).view(np.uint32)
    bits = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    return np.argsort((codes.astype(np.uint64) << np.uint64(32)) | bits)


def weighted_mean(values: Floats, weights: Array) -> float:
    """The weighted mean of the values that are not NaN; NaN if there are none."""
    defined = ~np.isnan(values)
    total = weights[defined].sum()
    if not total:
        return float("nan")
    return float(values[defined] @ weights[defined] / total)


def starts_of_runs(*columns: Array) -> npt.NDArray[np.intp]:
    """Where a run of equal rows begins in sorted, non-empty columns."""
    first = np.zeros(len(columns[0]), bool)
    first[0] = True
    for column in columns:
        first[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(first)


def auc_of_segments(
    positive: Floats,
    negative: Floats,
    ties: npt.NDArray[np.intp],
    segments: npt.NDArray[Any],
) -> Floats:
    """The AUC of each segment of rows that are sorted by segment, then by score.

    Args:
        positive: `(rows,)`, the weights of positives, 0 for negatives.
        negative: `(rows,)`, the weights of negatives, 0 for positives.
        ties: Where each run of rows of equal segment and score begins, `(runs,)`.
        segments: Which of the runs is the first of each segment, `(segments,)`.

    Returns:
        `(segments,)`; NaN where a class is missing.
    """
    positive = np.add.reduceat(positive, ties)
    negative = np.add.reduceat(negative, ties)
    below = np.cumsum(negative) - negative
    below -= np.repeat(below[segments], np.diff(segments, append=len(ties)))
    wins = np.add.reduceat(positive * (below + negative / 2), segments)
    pairs = np.add.reduceat(positive, segments) * np.add.reduceat(negative, segments)
    return np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
