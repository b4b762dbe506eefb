"""How well scores rank positives over negatives: AUC, and AUC within groups."""

from collections.abc import Iterator
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
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    *,
    numeric: bool = False,
) -> float:
    """The area under the ROC curve, exactly; or its counterpart for numeric labels.

    The share of the pairs of a positive and a negative in which the positive has the
    higher score. A tie counts as half, and the weight of a pair is the product of its
    rows' weights. With numeric labels, such as watch times, it is the share of the
    pairs of rows with different labels in which the higher label has the higher score
    (the concordance, or C-index); for zeros and ones, both are the same.

    Args:
        labels: `(rows,)` or `(rows, 1)`; 0 or 1, NaN or -1 where missing. Rows without
            a label are left out.
        scores: `(rows,)` or `(rows, 1)`: probabilities, logits or any other scores.
        weights: `(rows,)`, not negative, or None for ones.
        numeric: Whether the labels are any numbers, and NaN where missing.

    Returns:
        A value in [0, 1]; NaN if there are no positives or no negatives, or all labels
        are equal.

    Raises:
        HomeError: If the lengths differ, a label is not 0, 1 or missing, a score is
            NaN, or a weight is negative or not finite.
    """
    known, predicted, valid = labelled_rows(labels, scores, numeric=numeric)
    weight = row_weights(weights, valid)
    return RankedRows(known, predicted).auc(weight)


def gauc(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    numeric: bool = False,
) -> float:
    """The AUC within each group, averaged by impressions (equation 12 of the paper).

    `GAUC = sum_u w_u AUC_u`, where `w_u` is the user's share of the rows. Users without
    a positive or without a negative have no AUC: they are left out, as are rows without
    a user, and the weights of the others are scaled to sum to 1.

    Args:
        labels: As in `auc`.
        scores: As in `auc`.
        groups: `(rows,)` of integers or strings: the user of each row; -1 or `""` if
            unknown.
        numeric: As in `auc`.

    Returns:
        A value in [0, 1]; NaN if no group has both classes.

    Raises:
        HomeError: As in `auc`, or if the groups are not integers or strings.
    """
    _, aucs, impressions = per_group_auc(labels, scores, groups, numeric=numeric)
    return weighted_mean(aucs, impressions)


def per_group_auc(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    numeric: bool = False,
) -> tuple[Array, Floats, npt.NDArray[np.int64]]:
    """The AUC of each group.

    Args:
        labels: As in `auc`.
        scores: As in `auc`.
        groups: `(rows,)` of integers or strings: the group of each row, -1 or `""` for
            none.
        numeric: As in `auc`.

    Returns:
        The groups that have a row with a label, in ascending order; the AUC of each,
        NaN where it has a single class; its number of rows with a label. Each
        `(groups,)`.

    Raises:
        HomeError: As in `gauc`.
    """
    known, predicted, valid = labelled_rows(labels, scores, numeric=numeric)
    names, codes = group_codes(groups, len(valid))
    codes = codes[valid]
    grouped = codes >= 0
    known, predicted, codes = known[grouped], predicted[grouped], codes[grouped]
    if not known.size:
        return names[:0], np.empty(0), np.empty(0, np.int64)
    rows = np.bincount(codes, minlength=len(names))
    wins, pairs = np.zeros(len(names)), np.zeros(len(names))
    for place, high in _levels(known):
        cells = codes if place is None else _number(codes, place)
        order = _order_by_group_and_score(cells, predicted)
        high, in_cell = high[order], cells[order]
        starts = starts_of_runs(in_cell)
        ties = starts_of_runs(in_cell, predicted[order])
        of_cell = wins_of_segments(high, 1 - high, ties, np.searchsorted(ties, starts))
        group = codes[order][starts]
        for sums, values in zip((wins, pairs), of_cell, strict=True):
            sums += np.bincount(group, values, len(names))
    present = rows > 0
    aucs = _ratio(wins[present], pairs[present])
    return names[present], aucs, rows[present].astype(np.int64)


class RankedRows:
    """Rows sorted by score, to compute the AUC for several sets of weights.

    Args:
        labels: `(rows,)`, zeros and ones or any numbers, none missing.
        scores: `(rows,)`.
    """

    def __init__(self, labels: Floats, scores: Array) -> None:
        self._parts = []
        for place, high in _levels(labels) if labels.size else ():
            if place is None:
                order, segments = np.argsort(scores), np.zeros(1, np.intp)
                ties = starts_of_runs(scores[order])
            else:
                order = np.lexsort((scores, place))
                ties = starts_of_runs(place[order], scores[order])
                segments = np.searchsorted(ties, starts_of_runs(place[order]))
            self._parts.append((order, high[order], ties, segments))

    def auc(self, weights: Array) -> float:
        """The AUC; NaN if no two labels differ.

        Args:
            weights: `(rows,)`, not negative.
        """
        wins = pairs = 0.0
        for order, high, ties, segments in self._parts:
            positive = weights[order] * high
            negative = weights[order] - positive
            found = wins_of_segments(positive, negative, ties, segments)
            wins, pairs = wins + found[0].sum(), pairs + found[1].sum()
        return float(wins / pairs) if pairs > 0 else float("nan")


def _levels(labels: Floats) -> Iterator[tuple[npt.NDArray[np.intp] | None, Floats]]:
    """Splits pairs of different labels into pairs of a positive and a negative.

    Two labels whose ranks differ do so first in one binary digit: there one of them is
    a positive and the other a negative, among all ranks with the same digits before.

    Args:
        labels: `(rows,)`, at least one.

    Yields:
        For each digit, the cell of each row, `(rows,)`, or None if there is one cell,
        and whether its label is the higher one, 0 or 1.
    """
    if np.isin(labels, (0.0, 1.0)).all():
        yield None, labels
        return
    ranks = np.unique(labels, return_inverse=True)[1].reshape(-1)
    for digit in range(int(ranks.max()).bit_length()):
        yield ranks >> (digit + 1), ((ranks >> digit) & 1).astype(np.float64)


def _number(
    codes: npt.NDArray[np.intp], places: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    """Numbers the pairs of a code and a place, in their order."""
    pairs = codes.astype(np.int64) * (int(places.max()) + 1) + places
    return np.unique(pairs, return_inverse=True)[1].reshape(-1)


def _order_by_group_and_score(
    codes: npt.NDArray[np.intp], scores: Array
) -> npt.NDArray[np.intp]:
    """Sorts by group, then by score."""
    if scores.dtype != np.float32 or codes.max() >= 2**32:
        return np.lexsort((scores, codes))
    # One sort of integers is faster. The bits of floats sort like integers once those
    # of negative numbers are inverted and the sign bit of the others is set.
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


def wins_of_segments(
    positive: Floats,
    negative: Floats,
    ties: npt.NDArray[np.intp],
    segments: npt.NDArray[Any],
) -> tuple[Floats, Floats]:
    """Weighs the pairs within each segment of rows sorted by segment, then by score.

    Args:
        positive: `(rows,)`, the weights of positives, 0 for negatives.
        negative: `(rows,)`, the weights of negatives, 0 for positives.
        ties: Where each run of rows of equal segment and score begins, `(runs,)`.
        segments: The index of the first run of each segment, `(segments,)`.

    Returns:
        The weight of the pairs of a positive and a negative in which the positive has
        the higher score, with ties as half, and the weight of all pairs; each
        `(segments,)`.
    """
    positive = np.add.reduceat(positive, ties)
    negative = np.add.reduceat(negative, ties)
    below = np.cumsum(negative) - negative
    below -= np.repeat(below[segments], np.diff(segments, append=len(ties)))
    wins = np.add.reduceat(positive * (below + negative / 2), segments)
    pairs = np.add.reduceat(positive, segments) * np.add.reduceat(negative, segments)
    return wins, pairs


def _ratio(wins: Floats, pairs: Floats) -> Floats:
    return np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
