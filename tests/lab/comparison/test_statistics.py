"""Means and paired intervals, against NumPy and scikit-learn by brute force."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from home_tf.evaluation import bootstrap_values
from home_tf.lab.comparison.statistics import Estimate, Results

NAN = np.nan


def constant(values, replicates=3):
    """Results whose replicates are all the values themselves."""
    values = np.array(values, float)
    return Results(values, np.repeat(values[..., None], replicates, axis=-1))


def test_means_are_over_seeds_then_folds_then_tasks():
    # Two folds, two seeds, two tasks.
    found = constant([[[0.6, 0.7], [0.8, 0.7]], [[0.5, 0.9], [0.5, 0.5]]]).estimates()
    assert [one.value for one in found] == pytest.approx([0.6, 0.7, 0.65])


def test_a_missing_training_does_not_change_the_weight_of_its_fold():
    found = constant([[[0.6], [NAN]], [[0.5], [0.9]]]).estimates()
    assert found[0].value == pytest.approx((0.6 + 0.7) / 2)


def test_an_undefined_task_is_left_out_of_the_mean():
    one = constant([[[0.6, NAN]]])
    task, undefined, mean = one.estimates()
    assert (task.value, mean.value) == (0.6, 0.6)
    assert set(undefined.to_json().values()) == {None}
    assert np.isnan(one.differences(one)[1].value)


def test_differences_are_over_the_trainings_that_both_have():
    mine = constant([[[0.6], [0.9]], [[0.7], [NAN]]])
    other = constant([[[0.5], [NAN]], [[0.5], [0.5]]])
    assert mine.differences(other)[0].value == pytest.approx((0.1 + 0.2) / 2)


def test_the_interval_of_a_difference_is_paired():
    """Two models that move together differ by a constant."""
    noise = np.random.default_rng(0).normal(size=(1, 1, 1, 200))
    first = Results(np.array([[[0.6]]]), 0.6 + noise)
    second = Results(np.array([[[0.5]]]), 0.5 + noise)
    difference = first.differences(second)[0]
    assert (difference.low, difference.high) == pytest.approx((0.1, 0.1))
    alone = first.estimates()[0]
    assert alone.high - alone.low > 1


def test_the_second_interval_draws_seeds_too():
    """Users that change nothing: all of the interval is that of the seeds."""
    values = np.random.default_rng(1).normal(size=(1, 5, 1))
    found = constant(values, replicates=4000).estimates()[0]
    assert (found.low, found.high) == pytest.approx((values.mean(),) * 2)
    # The mean of five draws of five seeds has this deviation; the interval is as wide
    # as that of a normal distribution, but for its ends.
    deviation = values.std() / np.sqrt(5)
    width = found.high_with_seeds - found.low_with_seeds
    assert width == pytest.approx(2 * 1.96 * deviation, rel=0.1)
    one = constant(values[:, :1]).estimates()[0]
    assert np.isnan(one.low_with_seeds)


def test_the_second_interval_of_a_difference_is_paired_by_seed():
    values = np.random.default_rng(1).normal(size=(2, 5, 1))
    difference = constant(values + 0.1).differences(constant(values))[0]
    found = (difference.low_with_seeds, difference.high_with_seeds)
    assert found == pytest.approx((0.1, 0.1))


def test_the_deviation_over_seeds():
    found = constant([[[0.5, 0.7], [0.6, 0.8]], [[0.5, 0.7], [0.6, 0.8]]])
    assert found.seed_deviation() == pytest.approx(np.std([0.6, 0.7], ddof=1))
    assert np.isnan(constant([[[0.5]]]).seed_deviation())


def test_estimates_go_to_json_with_none_where_undefined():
    found = Estimate(0.5, 0.4, 0.6, NAN, NAN)
    assert found.to_json() == {
        "value": 0.5,
        "interval": [0.4, 0.6],
        "interval_with_seeds": None,
    }
    assert found.scaled(10).low == pytest.approx(4)


def test_the_results_of_some_tasks_are_theirs_alone():
    values = np.array([[[0.1, 0.2, 0.6]]])
    replicates = np.stack([values, values + 0.1], axis=-1)
    first, last, mean = Results(values, replicates).of_tasks([0, 2]).estimates()
    assert (first.value, last.value) == (0.1, 0.6)
    assert mean.value == pytest.approx(0.35)
    assert 0.35 <= mean.low < mean.high <= 0.45 + 1e-9


def test_replicates_of_two_models_are_those_of_rows_that_are_repeated():
    """Against scikit-learn on rows taken as often as their user was drawn."""
    random = np.random.default_rng(3)
    users = random.integers(12, size=150)
    labels = (random.random(150) < 0.4).astype(float)
    labels[:5] = NAN
    draws = np.random.default_rng(0)
    models = [random.normal(size=150) + labels for _ in range(2)]
    models = [np.nan_to_num(scores) for scores in models]
    found = [bootstrap_values(labels, m, users, replicates=4) for m in models]
    known = ~np.isnan(labels)
    for i in range(4):
        drawn = draws.integers(12, size=12)
        rows = np.concatenate([np.flatnonzero(known & (users == u)) for u in drawn])
        for model, values in zip(models, found, strict=True):
            expected = roc_auc_score(labels[rows], model[rows])
            assert values["auc"][i] == pytest.approx(expected)
            aucs, sizes = [], []
            for u in drawn:
                mine = np.flatnonzero(known & (users == u))
                if len(set(labels[mine])) == 2:
                    aucs.append(roc_auc_score(labels[mine], model[mine]))
                    sizes.append(len(mine))
            assert values["gauc"][i] == pytest.approx(np.average(aucs, weights=sizes))
