"""Bootstrap intervals against a plain bootstrap and against repeated sampling."""

import math
import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from home_tf.errors import HomeError
from home_tf.evaluation import auc, bootstrap_over_groups, gauc


def log_of_users(seed, users, rows_each=12, effect=1.0):
    """Impressions of users who differ in how much they like everything."""
    random = np.random.default_rng(seed)
    groups = np.repeat(np.arange(users), rows_each)
    scores = random.normal(size=len(groups))
    taste = effect * random.normal(size=users)[groups]
    labels = random.random(len(groups)) < 1 / (1 + np.exp(-scores - taste))
    return labels.astype(float), scores, groups


def plain_bootstrap(labels, scores, groups, replicates, seed):
    """Copies the rows of the drawn users together, replicate by replicate."""
    random = np.random.default_rng(seed)
    users = np.unique(groups)
    rows_of = [np.flatnonzero(groups == user) for user in users]
    values = []
    for _ in range(replicates):
        drawn = random.integers(len(users), size=len(users))
        rows = np.concatenate([rows_of[i] for i in drawn])
        # A user who is drawn twice is two users.
        copies = np.repeat(np.arange(len(drawn)), [len(rows_of[i]) for i in drawn])
        pooled = roc_auc_score(labels[rows], scores[rows])
        values.append((pooled, gauc(labels[rows], scores[rows], copies)))
    return np.array(values)


def test_the_replicates_are_those_of_a_plain_bootstrap():
    labels, scores, groups = log_of_users(0, 60)
    scores = np.round(scores, 1)
    intervals = bootstrap_over_groups(labels, scores, groups, replicates=200, seed=3)
    # The same draws from the same seed: the ends must agree to rounding.
    values = plain_bootstrap(labels, scores, groups, 200, seed=3)
    expected = np.quantile(values, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(intervals["auc"], expected[:, 0], atol=1e-12)
    np.testing.assert_allclose(intervals["gauc"], expected[:, 1], atol=1e-12)


@pytest.mark.slow
def test_intervals_cover_the_true_value_about_as_often_as_they_say():
    truth_labels, truth_scores, truth_groups = log_of_users(1, 40_000)
    truth = {
        "auc": auc(truth_labels, truth_scores),
        "gauc": gauc(truth_labels, truth_scores, truth_groups),
    }
    hits = {"auc": 0, "gauc": 0}
    for seed in range(100):
        data = log_of_users(1000 + seed, 150)
        intervals = bootstrap_over_groups(*data, replicates=200)
        for metric, (low, high) in intervals.items():
            hits[metric] += low <= truth[metric] <= high
    # Of 100 intervals of 95 %, fewer than 86 has a chance of one in 3,000.
    assert hits["auc"] >= 86
    assert hits["gauc"] >= 86


def test_rows_of_a_user_are_resampled_together():
    random = np.random.default_rng(2)
    groups = np.repeat(np.arange(60), 40)
    # Label and score are the same in all rows of a user, so that 2,400 rows tell no
    # more than 60; resampling rows would give an interval that is far too narrow.
    labels = random.integers(0, 2, 60)[groups]
    scores = random.normal(size=60)[groups]
    by_user = bootstrap_over_groups(labels, scores, groups)["auc"]
    by_row = bootstrap_over_groups(labels, scores, np.arange(len(labels)))["auc"]
    assert np.diff(by_user) > 4 * np.diff(by_row)


def test_seed_and_confidence():
    data = log_of_users(5, 100)
    first = bootstrap_over_groups(*data, seed=1)
    assert bootstrap_over_groups(*data, seed=1) == first
    assert bootstrap_over_groups(*data, seed=2) != first
    narrow = bootstrap_over_groups(*data, seed=1, confidence=0.5)
    for metric in ("auc", "gauc"):
        assert first[metric][0] < narrow[metric][0]
        assert narrow[metric][1] < first[metric][1]


def test_the_names_of_the_groups_do_not_matter():
    labels, scores, groups = log_of_users(6, 50)
    names = np.char.add("user-", np.char.zfill(groups.astype("U4"), 4))
    by_name = bootstrap_over_groups(labels, scores, names)
    assert by_name == bootstrap_over_groups(labels, scores, groups)


def test_replicates_of_a_single_class_are_left_out():
    labels = np.zeros(40)
    labels[0] = 1
    scores = np.arange(40.0)
    scores[0] = 20.5
    intervals = bootstrap_over_groups(labels, scores, np.arange(40) // 4)
    # The one user with the positive is not drawn in a third of the replicates.
    low, high = intervals["auc"]
    assert 0 < low < high < 1
    # The positive is above all three other rows of its user, whenever it is drawn.
    assert intervals["gauc"] == (1.0, 1.0)


@pytest.mark.parametrize("labels", [[0, 0, 0], [np.nan, -1, np.nan], []])
def test_without_both_classes_there_is_no_interval(labels):
    size = len(labels)
    intervals = bootstrap_over_groups(labels, np.arange(size), np.arange(size))
    assert all(math.isnan(end) for ends in intervals.values() for end in ends)


def test_ten_tasks_of_a_test_set_take_seconds():
    labels, scores, groups = log_of_users(7, 1100)
    start = time.process_time()
    for _ in range(10):
        bootstrap_over_groups(labels, scores, groups, replicates=200)
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"replicates": 0}, "`replicates` must be at least 1. Received: 0"),
        ({"confidence": 95}, "`confidence` must be between 0 and 1. Received: 95"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(HomeError, match=message):
        bootstrap_over_groups(*log_of_users(8, 10), **arguments)


def test_rows_of_nobody_are_drawn_one_by_one():
    labels, scores, groups = log_of_users(0, 60)
    nobody = np.arange(len(groups)) % 5 == 0
    alone = np.where(nobody, 1000 + np.arange(len(groups)), groups)
    one = bootstrap_over_groups(labels, scores, alone, replicates=100, seed=3)
    other = bootstrap_over_groups(
        labels, scores, np.where(nobody, -1, groups), replicates=100, seed=3
    )
    np.testing.assert_allclose(one["auc"], other["auc"], atol=1e-12)
    # A row alone has no AUC of its own.
    np.testing.assert_allclose(one["gauc"], other["gauc"], atol=1e-12)


def test_without_groups_rows_are_drawn():
    labels, scores, groups = log_of_users(0, 60)
    found = bootstrap_over_groups(labels, scores, None, replicates=100, seed=3)
    rows = np.arange(len(groups))
    expected = bootstrap_over_groups(labels, scores, rows, replicates=100, seed=3)
    assert list(found) == ["auc"]
    np.testing.assert_allclose(found["auc"], expected["auc"], atol=1e-12)


def test_numeric_labels_are_drawn_alike():
    labels, scores, groups = log_of_users(3, 40)
    given = {"replicates": 40, "seed": 1}
    assert bootstrap_over_groups(
        labels, scores, groups, **given, numeric=True
    ) == bootstrap_over_groups(labels, scores, groups, **given)
    # Rows copied together, replicate by replicate.
    times = np.round(np.exp(scores + np.random.default_rng(2).normal(size=480)), 1)
    random = np.random.default_rng(1)
    drawn = [random.integers(40, size=40) for _ in range(40)]
    values = []
    for users in drawn:
        rows = np.concatenate([np.flatnonzero(groups == user) for user in users])
        values.append(auc(times[rows], scores[rows], numeric=True))
    found = bootstrap_over_groups(times, scores, groups, **given, numeric=True)
    assert found["auc"] == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=1e-9)
