"""AUC and GAUC against brute force, scikit-learn and values computed by hand."""

import math
import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from home_tf.errors import HomeError
from home_tf.evaluation import auc, gauc, per_group_auc, valid_labels
from home_tf.evaluation.inputs import group_codes


def pairs_auc(labels, scores, weights=None):
    """The definition: every pair of a positive and a negative, a tie worth a half."""
    labels, scores = np.asarray(labels), np.asarray(scores)
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights)
    wins = total = 0.0
    for i in np.flatnonzero(labels == 1):
        for j in np.flatnonzero(labels == 0):
            pair = weights[i] * weights[j]
            total += pair
            wins += pair * (1.0 if scores[i] > scores[j] else 0.0)
            wins += pair * (0.5 if scores[i] == scores[j] else 0.0)
    return wins / total if total else math.nan


def users_loop_gauc(labels, scores, groups):
    """Equation 12, one user after the other."""
    total = weighted = 0.0
    for user in set(groups):
        rows = np.asarray(groups) == user
        if 0 < labels[rows].sum() < rows.sum():
            weighted += rows.sum() * roc_auc_score(labels[rows], scores[rows])
            total += rows.sum()
    return weighted / total


def rated(seed, rows, levels=None):
    random = np.random.default_rng(seed)
    scores = random.normal(size=rows)
    labels = (random.random(rows) < 1 / (1 + np.exp(-scores))).astype(float)
    if levels:
        scores = np.round(scores * levels) / levels
    return labels, scores


def test_perfect_reversed_and_constant_scores():
    labels = [0, 0, 1, 1]
    assert auc(labels, [0.1, 0.2, 0.3, 0.4]) == 1.0
    assert auc(labels, [0.4, 0.3, 0.2, 0.1]) == 0.0
    assert auc(labels, [0.3, 0.3, 0.3, 0.3]) == 0.5


@pytest.mark.parametrize("levels", [None, 10, 1])
@pytest.mark.parametrize("weighted", [False, True])
def test_auc_is_the_share_of_ordered_pairs(levels, weighted):
    labels, scores = rated(1, 150, levels)
    weights = np.random.default_rng(2).integers(0, 4, 150) if weighted else None
    expected = pairs_auc(labels, scores, weights)
    assert auc(labels, scores, weights) == pytest.approx(expected, abs=1e-14)
    assert expected == pytest.approx(
        roc_auc_score(labels, scores, sample_weight=weights), abs=1e-12
    )


def test_whole_weights_act_as_repeated_rows():
    labels, scores = rated(3, 300, 5)
    times = np.random.default_rng(4).integers(0, 4, 300)
    repeated = auc(np.repeat(labels, times), np.repeat(scores, times))
    assert auc(labels, scores, times) == repeated


def test_auc_agrees_with_scikit_learn_on_float32_scores_with_ties():
    labels, scores = rated(5, 20_000, 50)
    scores = scores.astype(np.float32)
    assert auc(labels, scores) == pytest.approx(
        roc_auc_score(labels, scores), abs=1e-12
    )


def test_infinite_scores_rank_outermost():
    assert auc([0, 1, 0, 1], [-np.inf, 0.0, 1.0, np.inf]) == 0.75


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 0, 0], [np.nan, 1, 1], []])
def test_a_single_class_has_no_auc(labels):
    assert math.isnan(auc(labels, np.arange(len(labels))))


def test_a_class_of_weight_zero_is_no_class():
    assert math.isnan(auc([1, 0, 0], [0.1, 0.2, 0.3], [0, 1, 1]))


def test_missing_labels_are_left_out():
    labels = np.array([1, np.nan, 0, -1, 1, 0])
    scores = np.array([0.4, 0.9, 0.3, 0.0, 0.1, 0.2])
    groups = np.array([7, 7, 7, 7, 7, 7])
    assert valid_labels(labels).tolist() == [True, False, True, False, True, True]
    assert auc(labels, scores) == 0.5
    assert auc(labels, scores, [1, 50, 1, 50, 1, 1]) == 0.5
    assert gauc(labels, scores, groups) == 0.5
    assert auc(np.array([1, -1, 0]), [0.1, 0.9, 0.2]) == 0.0


def test_keras_shaped_columns_are_read_as_vectors():
    labels, scores = rated(6, 50)
    groups = np.arange(50) % 4
    assert auc(labels[:, None], scores[:, None]) == auc(labels, scores)
    flat = gauc(labels, scores, groups)
    assert gauc(labels[:, None], scores[:, None], groups[:, None]) == flat


# User 5: 0.9 > 0.1, 0.9 > 0.5, 0.5 = 0.5, 0.5 > 0.1: 3.5 of 4 pairs, 4 rows.
# User 8: the positive is last: 0 of 2 pairs, 3 rows. User 2: positives only, 5 rows.
# User 3: one negative. So GAUC = (4 * 0.875 + 3 * 0) / 7 = 0.5.
TOY_GROUPS = np.array([5, 8, 2, 5, 8, 2, 2, 5, 3, 8, 5, 2, 2])
TOY_LABELS = np.array([1, 0, 1, 0, 0, 1, 1, 1, 0, 1, 0, 1, 1])
TOY_SCORES = np.array([9, 6, 3, 5, 4, 2, 9, 5, 7, 1, 1, 4, 4]) / 10


def test_gauc_by_hand_leaves_out_users_of_a_single_class():
    assert gauc(TOY_LABELS, TOY_SCORES, TOY_GROUPS) == pytest.approx(0.5, abs=1e-15)


def test_per_group_auc_by_hand():
    groups, aucs, impressions = per_group_auc(TOY_LABELS, TOY_SCORES, TOY_GROUPS)
    assert groups.tolist() == [2, 3, 5, 8]
    np.testing.assert_array_equal(aucs, [np.nan, np.nan, 0.875, 0.0])
    assert impressions.tolist() == [5, 1, 4, 3]


def test_impressions_count_only_rows_with_a_label():
    labels = np.array([1, 0, np.nan, np.nan, 0, 1, np.nan])
    scores = np.array([2.0, 1.0, 5.0, 5.0, 3.0, 2.0, 1.0])
    groups = np.array(["a", "a", "a", "a", "b", "b", "c"])
    names, aucs, impressions = per_group_auc(labels, scores, groups)
    assert names.tolist() == ["a", "b"]
    assert aucs.tolist() == [1.0, 0.0]
    assert impressions.tolist() == [2, 2]
    assert gauc(labels, scores, groups) == 0.5


@pytest.mark.parametrize(
    "convert",
    [
        lambda users: users,
        lambda users: -users.astype(np.int32) - 1,  # -1 would be no user
        lambda users: users.astype(np.uint64) + 2**63,
        lambda users: users.astype("U6"),
        lambda users: users.astype("S6"),
        lambda users: users.astype("U6").astype(object),
    ],
)
def test_gauc_agrees_with_a_loop_over_users(convert):
    labels, scores = rated(7, 3000, 20)
    groups = convert(np.random.default_rng(8).geometric(0.02, 3000))
    expected = users_loop_gauc(labels, scores, groups)
    assert gauc(labels, scores, groups) == pytest.approx(expected, abs=1e-12)


def test_ties_across_users_are_no_ties():
    labels, scores = [1, 0, 1, 0], [0.5, 0.5, 0.5, 0.2]
    assert gauc(labels, scores, [1, 1, 2, 2]) == 0.75


def test_gauc_is_blind_to_a_users_level_where_auc_is_not():
    labels, scores = rated(9, 2000)
    groups = np.arange(2000) % 50
    shifted = scores + 10.0 * groups
    assert gauc(labels, shifted, groups) == gauc(labels, scores, groups)
    assert auc(labels, shifted) < auc(labels, scores) - 0.05


def test_gauc_of_one_user_is_the_auc():
    labels, scores = rated(10, 500)
    assert gauc(labels, scores, np.zeros(500, int)) == auc(labels, scores)


@pytest.mark.parametrize("rows", [0, 3])
def test_gauc_without_a_user_of_both_classes_is_undefined(rows):
    assert math.isnan(gauc(np.ones(rows), np.arange(rows), np.arange(rows)))


def test_gauc_does_not_depend_on_the_order_of_the_rows():
    labels, scores = rated(11, 1000, 10)
    groups = np.random.default_rng(12).integers(0, 40, 1000)
    order = np.random.default_rng(13).permutation(1000)
    shuffled = gauc(labels[order], scores[order], groups[order])
    assert shuffled == gauc(labels, scores, groups)


@pytest.mark.parametrize(
    "groups",
    [
        [3, -5, 3, 0, -5],
        np.array([-128, 127, -128, 127] * 99, np.int8),
        np.array([2**63 - 1, 2**63 - 4]),
        np.array([0, 2**64 - 1, 2**64 - 2], np.uint64),
        np.array([2**64 - 2, 2**64 - 1], np.uint64),
        np.arange(5) * 10**12,
    ],
)
def test_groups_are_numbered_as_numpy_does(groups):
    names, codes = group_codes(groups, len(groups))
    expected, expected_codes = np.unique(groups, return_inverse=True)
    assert names.dtype == expected.dtype
    np.testing.assert_array_equal(names, expected)
    np.testing.assert_array_equal(codes, expected_codes)


def test_a_million_rows_take_no_loop_over_users():
    labels, scores = rated(14, 1_000_000)
    groups = np.random.default_rng(15).integers(0, 200_000, 1_000_000)
    start = time.perf_counter()
    value = gauc(labels, scores, groups)
    # It takes 0.4 s; a loop over 200,000 users takes more than a minute.
    assert time.perf_counter() - start < 10
    assert value == pytest.approx(auc(labels, scores), abs=0.01)


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1, 1], [0.1, 0.2], "`scores` must have one value per label. Rec"),
        ([0, 1], [0.1, np.nan], "`scores` must not be NaN.*1 of 2 rows, .* row 1"),
        ([0, 0.5], [0.1, 0.2], "`labels` must be 0 or 1.*Received: 0.5 in row 1"),
        ([0, 2], [0.1, 0.2], "`labels` must be 0 or 1.*Received: 2 in row 1"),
        ([[0, 1]], [0.1, 0.2], r"`labels` must be .* shape \(1, 2\)"),
        (["0", "1"], [0.1, 0.2], "`labels` must be numbers .*dtype <U1"),
    ],
)
def test_bad_input_is_refused(labels, scores, message):
    with pytest.raises(HomeError, match=message):
        auc(labels, scores)
    with pytest.raises(HomeError, match=message):
        gauc(labels, scores, [1, 1])


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_bad_weights_are_refused(weight):
    with pytest.raises(HomeError, match="`weights` must be finite and not negative"):
        auc([0, 1], [0.1, 0.2], [1.0, weight])


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([1, 2, 3], "`groups` must have one value per label. Received: 3 groups"),
        ([1.0, 2.0], "`groups` must be a vector of integers or strings.*float64"),
        (np.array(["a", None]), "`groups` must be a vector of integers or strings"),
        ([[1, 2]], r"`groups` must be a vector .*shape \(1, 2\)"),
    ],
)
def test_bad_groups_are_refused(groups, message):
    with pytest.raises(HomeError, match=message):
        gauc([0, 1], [0.1, 0.2], groups)


@pytest.mark.parametrize(
    ("convert", "nobody"),
    [
        (lambda users: users, -1),
        (lambda users: users.astype(np.int32), -1),
        (lambda users: users * 10**12, -1),  # far apart: sorted, not counted
        (lambda users: users.astype("U6"), ""),
        (lambda users: users.astype("S6"), b""),
        (lambda users: users.astype("U6").astype(object), ""),
    ],
)
def test_rows_of_nobody_do_not_count_in_gauc(convert, nobody):
    labels, scores = rated(7, 3000, 20)
    groups = convert(np.random.default_rng(8).geometric(0.02, 3000))
    known = np.random.default_rng(9).random(3000) < 0.6
    groups[~known] = nobody
    expected = users_loop_gauc(labels[known], scores[known], groups[known])
    assert gauc(labels, scores, groups) == pytest.approx(expected, abs=1e-12)
    names, _, rows = per_group_auc(labels, scores, groups)
    assert nobody not in names.tolist()
    assert rows.sum() == np.count_nonzero(known & ~np.isnan(labels) & (labels >= 0))


def ordered_pairs(labels, scores, weights=None):
    """The definition for numbers: every pair of different labels, a tie a half."""
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights)
    wins = total = 0.0
    for i in range(len(labels)):
        for j in range(len(labels)):
            if labels[i] > labels[j]:
                pair = weights[i] * weights[j]
                total += pair
                wins += pair * (1.0 if scores[i] > scores[j] else 0.0)
                wins += pair * (0.5 if scores[i] == scores[j] else 0.0)
    return wins / total if total else math.nan


def watched(seed, rows, round_to=None):
    """Watch times in seconds, many of them zero, and what predicts them."""
    random = np.random.default_rng(seed)
    labels = np.round(np.maximum(random.normal(3, 5, rows), 0), 1)
    scores = labels + random.normal(0, 4, rows)
    return labels, scores if round_to is None else np.round(scores / round_to)


@pytest.mark.parametrize("round_to", [None, 3.0, 1e9])
@pytest.mark.parametrize("weighted", [False, True])
def test_numeric_auc_is_the_share_of_ordered_pairs(round_to, weighted):
    labels, scores = watched(5, 120, round_to)
    weights = np.random.default_rng(2).integers(0, 4, 120) if weighted else None
    found = auc(labels, scores, weights, numeric=True)
    assert found == pytest.approx(ordered_pairs(labels, scores, weights), abs=1e-12)


def test_numeric_auc_by_hand_and_of_zeros_and_ones():
    # 3 > 1, 3 > 2 and 2 > 1; only the last pair is in the wrong order.
    assert auc([1.0, 2.0, 3.0], [0.5, 0.4, 0.9], numeric=True) == pytest.approx(2 / 3)
    assert math.isnan(auc([2.0, 2.0], [0.1, 0.2], numeric=True))
    assert math.isnan(auc([math.nan], [0.1], numeric=True))
    labels, scores = rated(3, 200, 5)
    assert auc(labels, scores, numeric=True) == auc(labels, scores)
    # -1 is a number, and only NaN is missing.
    assert auc([-1.0, math.nan, 2.0], [0.1, 0.9, 0.2], numeric=True) == 1.0
    with pytest.raises(HomeError, match="finite numbers"):
        auc([1.0, math.inf], [0.1, 0.2], numeric=True)
    with pytest.raises(HomeError, match="must be 0 or 1"):
        auc([1.0, 2.0], [0.1, 0.2])


def test_numeric_gauc_is_the_mean_over_users():
    labels, scores = watched(8, 300, 2.0)
    users = np.random.default_rng(4).integers(0, 25, 300)
    labels[users == 3] = 7.0  # no two labels differ
    total = weighted = 0.0
    for user in range(25):
        rows = users == user
        share = ordered_pairs(labels[rows], scores[rows])
        if not math.isnan(share):
            weighted += rows.sum() * share
            total += rows.sum()
    found = gauc(labels, scores, users, numeric=True)
    assert found == pytest.approx(weighted / total, abs=1e-12)
    names, aucs, impressions = per_group_auc(labels, scores, users, numeric=True)
    assert names.tolist() == sorted(set(users.tolist()))
    assert math.isnan(aucs[names.tolist().index(3)])
    assert impressions.sum() == 300
