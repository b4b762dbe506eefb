"""The report over all tasks."""

import json

import numpy as np
import pytest
import sklearn.metrics
from sklearn.metrics import roc_auc_score

from home_tf.errors import HomeError
from home_tf.evaluation import auc, bootstrap_over_groups, evaluate_tasks, gauc

ROWS = 600
GROUPS = np.arange(ROWS) % 40


def tasks():
    """Two common tasks, one with gaps; one never positive; one without labels."""
    random = np.random.default_rng(0)
    probabilities = {
        name: random.random(ROWS).astype(np.float32)
        for name in ("click", "long_view", "follow", "forward")
    }
    labels = {
        name: (random.random(ROWS) < values).astype(np.float32)
        for name, values in probabilities.items()
    }
    labels["long_view"][::3] = np.nan
    labels["follow"][:] = 0
    labels["forward"][:] = -1
    return labels, probabilities


def test_values_are_those_of_each_metric_alone():
    labels, probabilities = tasks()
    results = evaluate_tasks(labels, probabilities, GROUPS, replicates=50, seed=4)
    known = ~np.isnan(labels["long_view"])
    true, predicted = labels["long_view"][known], probabilities["long_view"][known]
    expected = roc_auc_score(true, predicted)
    assert results["auc"]["long_view"] == pytest.approx(expected, abs=1e-12)
    assert results["gauc"]["long_view"] == gauc(true, predicted, GROUPS[known])
    assert results["calibration"]["long_view"] == pytest.approx(
        predicted.mean() / true.mean(), rel=1e-5
    )
    assert results["examples"]["long_view"] == 400
    assert results["positives"]["long_view"] == true.sum()
    intervals = bootstrap_over_groups(
        labels["long_view"], probabilities["long_view"], GROUPS, replicates=50, seed=4
    )
    assert results["auc_interval"]["long_view"] == list(intervals["auc"])
    assert results["gauc_interval"]["long_view"] == list(intervals["gauc"])


def test_undefined_values_are_null_and_outside_the_means():
    labels, probabilities = tasks()
    results = evaluate_tasks(labels, probabilities, GROUPS, replicates=20)
    for metric in ("auc", "gauc", "auc_interval", "gauc_interval", "calibration"):
        assert results[metric]["follow"] is None
        assert results[metric]["forward"] is None
        assert results[metric]["click"] is not None
    assert results["log_loss"]["follow"] > 0
    assert results["log_loss"]["forward"] is None
    assert results["examples"] == {
        "click": 600,
        "long_view": 400,
        "follow": 600,
        "forward": 0,
    }
    assert results["positives"]["follow"] == results["positives"]["forward"] == 0
    for metric in ("auc", "gauc"):
        both = [results[metric]["click"], results[metric]["long_view"]]
        assert results[f"mean_{metric}"] == pytest.approx(np.mean(both))


def test_the_report_is_strict_json():
    results = evaluate_tasks(*tasks(), GROUPS, replicates=20)
    assert json.loads(json.dumps(results, allow_nan=False)) == results


def test_no_defined_task_has_no_mean():
    results = evaluate_tasks({"follow": [0, 0]}, {"follow": [0.1, 0.2]}, [1, 2])
    assert results["mean_auc"] is None
    assert results["mean_gauc"] is None


def test_intervals_can_be_left_out():
    results = evaluate_tasks(*tasks(), GROUPS, replicates=0)
    assert set(results["auc_interval"].values()) == {None}
    assert set(results["gauc_interval"].values()) == {None}
    assert results["auc"]["click"] is not None


def test_users_may_be_strings_and_columns_may_be_keras_shaped():
    labels, probabilities = tasks()
    plain = evaluate_tasks(labels, probabilities, GROUPS, replicates=20)
    columns = {name: values[:, None] for name, values in probabilities.items()}
    # Padded, so that the users keep their order, and so the draws.
    names = np.char.zfill(GROUPS.astype("U3"), 3)
    assert evaluate_tasks(labels, columns, names, replicates=20) == plain


def test_a_problem_names_the_task():
    labels, probabilities = tasks()
    probabilities["follow"][7] = np.nan
    with pytest.raises(HomeError, match="task `follow`: `scores` must not be NaN"):
        evaluate_tasks(labels, probabilities, GROUPS)


def test_the_tasks_must_match():
    labels, probabilities = tasks()
    del probabilities["follow"]
    with pytest.raises(HomeError, match=r"the same tasks.*'follow'.* and "):
        evaluate_tasks(labels, probabilities, GROUPS)
    with pytest.raises(HomeError, match="at least one"):
        evaluate_tasks({}, {}, GROUPS)


def test_groups_and_labels_must_be_as_long():
    labels, probabilities = tasks()
    with pytest.raises(HomeError, match="Received: 599 groups for 600 labels"):
        evaluate_tasks(labels, probabilities, GROUPS[1:])
    labels["click"] = labels["click"][1:]
    probabilities["click"] = probabilities["click"][1:]
    with pytest.raises(HomeError, match="groups"):
        evaluate_tasks(labels, probabilities, GROUPS)


def test_rows_of_nobody_are_counted_and_left_out_of_gauc():
    labels, probabilities = tasks()
    groups = np.where(GROUPS < 10, -1, GROUPS)
    known = groups >= 0
    results = evaluate_tasks(labels, probabilities, groups, replicates=20)
    expected = gauc(
        labels["click"][known], probabilities["click"][known], groups[known]
    )
    assert results["gauc"]["click"] == expected
    assert results["rows_without_group"] == 150
    everyone = evaluate_tasks(labels, probabilities, GROUPS, replicates=20)
    assert results["auc"] == everyone["auc"]
    assert everyone["rows_without_group"] == 0


def test_without_groups_there_is_no_gauc_and_rows_are_drawn():
    labels, probabilities = tasks()
    results = evaluate_tasks(labels, probabilities, replicates=50, seed=4)
    assert not [name for name in results if "gauc" in name or "group" in name]
    rows = bootstrap_over_groups(
        labels["click"], probabilities["click"], np.arange(ROWS), replicates=50, seed=4
    )
    assert results["auc_interval"]["click"] == list(rows["auc"])


@pytest.mark.parametrize("label", [5.0, -5.0, 0.5])
def test_a_label_that_is_none_is_told_with_its_task(label):
    labels, probabilities = tasks()
    labels["click"][7] = label
    with pytest.raises(HomeError, match=rf"task `click`: .*Received: {label} in row 7"):
        evaluate_tasks(labels, probabilities, GROUPS)


def test_regression_tasks_stand_beside_the_others():
    labels, probabilities = tasks()
    random = np.random.default_rng(9)
    seconds = random.exponential(20, ROWS)
    seconds[::4] = np.nan
    labels["play_time"] = seconds
    predicted = np.abs(np.nan_to_num(seconds) + random.normal(0, 9, ROWS))
    probabilities["play_time"] = predicted
    given = {"groups": GROUPS, "replicates": 30, "seed": 4}
    alone = evaluate_tasks(*tasks(), **given)
    found = evaluate_tasks(labels, probabilities, regression=["play_time"], **given)
    known = ~np.isnan(seconds)
    true, guess = seconds[known], predicted[known]
    assert found["mae"]["play_time"] == pytest.approx(
        sklearn.metrics.mean_absolute_error(true, guess), rel=1e-12
    )
    assert found["rmse"]["play_time"] == pytest.approx(
        np.sqrt(sklearn.metrics.mean_squared_error(true, guess)), rel=1e-12
    )
    share = auc(true, guess, numeric=True)
    assert found["auc"]["play_time"] == share
    low, high = found["auc_interval"]["play_time"]
    assert low < share < high
    assert found["calibration"]["play_time"] == pytest.approx(guess.sum() / true.sum())
    assert found["examples"]["play_time"] == known.sum()
    assert found["positives"]["play_time"] is None
    assert found["log_loss"]["play_time"] is None
    assert found["mae"]["click"] is None
    for metric, values in alone.items():
        if isinstance(values, dict):
            assert {t: found[metric][t] for t in values} == values
    mean = np.mean([x for x in found["auc"].values() if x is not None])
    assert found["mean_auc"] == pytest.approx(mean)
    json.dumps(found, allow_nan=False)
