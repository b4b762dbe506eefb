"""Task towers: one MLP a task, from representation to logit."""

import numpy as np
import pytest
from support import home_reference
from support.backends import randomize, to_numpy

from home_tf.layers import TaskTowers

X = {
    "click": np.random.default_rng(5).normal(size=(9, 6)).astype(np.float32),
    "like": np.random.default_rng(6).normal(size=(9, 6)).astype(np.float32),
}


@pytest.mark.parametrize("hidden_units", [(), (5,), (8, 5)])
def test_a_tower_is_an_mlp_of_its_own_task(hidden_units):
    towers = TaskTowers(["click", "like"], hidden_units=hidden_units)
    towers(X)
    randomize(towers)
    for number, (task, logits) in enumerate(to_numpy(towers(X)).items()):
        expected = home_reference.mlp(towers.mlps, number, X[task].astype(np.float64))
        assert logits.shape == (9, 1)
        np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_logits_are_float32_under_mixed_precision():
    logits = TaskTowers(["click", "like"], dtype="mixed_float16")(X)
    assert all("float32" in str(values.dtype) for values in logits.values())


def test_towers_start_different():
    towers = TaskTowers(["a", "b"], kernel_initializer="he_uniform", hidden_units=(4,))
    towers({"a": X["click"], "b": X["click"]})
    first, second = np.split(towers.get_weights()[0], 2, axis=1)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("hidden_units", [(), (4,)])
def test_towers_start_at_the_given_rates(hidden_units):
    rates = {"like": 0.01, "click": 0.25}
    towers = TaskTowers(["click", "like"], hidden_units=hidden_units, prior_rates=rates)
    nothing = {task: np.zeros_like(x) for task, x in X.items()}
    for layer in (towers, TaskTowers.from_config(towers.get_config())):
        for task, logits in to_numpy(layer(nothing)).items():
            np.testing.assert_allclose(1 / (1 + np.exp(-logits)), rates[task], 1e-5)


@pytest.mark.parametrize(
    "rates", [{"click": 0.5}, {"click": 0.5, "like": 0.0}, {"click": 1.0, "like": 0.5}]
)
def test_prior_rates_are_checked(rates):
    with pytest.raises(ValueError, match=r"`prior_rates` must give .*Received: {'c"):
        TaskTowers(["click", "like"], prior_rates=rates)


@pytest.mark.parametrize("tasks", [[], ["click", "click"], "click"])
def test_tasks_must_be_different_names(tasks):
    with pytest.raises(ValueError, match=r"`tasks` must be a sequence of distinct"):
        TaskTowers(tasks)


def test_different_widths_are_told():
    inputs = {**X, "like": X["like"][:, :3]}
    with pytest.raises(ValueError, match=r"same width for every task. Received: .*3"):
        TaskTowers(["click", "like"])(inputs)


def test_a_missing_task_is_named():
    with pytest.raises(ValueError, match=r"lacks tasks \['follow'\]. Received: tasks"):
        TaskTowers(["click", "follow"])(X)
