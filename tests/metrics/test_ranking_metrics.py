"""The metrics of all tasks together, against those of one task each."""

import math

import numpy as np
import pytest

from home_tf.metrics import MaskedAUC, MaskedLogLoss
from home_tf.metrics.ranking_metrics import RankingMetrics

TASKS = ("click", "like", "never")


def make_batch(seed, shape):
    random = np.random.default_rng(seed)
    labels = {t: random.integers(0, 2, shape).astype(np.float32) for t in TASKS}
    labels["like"][random.random(shape) < 0.3] = math.nan
    labels["like"][random.random(shape) < 0.3] = -1
    labels["never"][:] = -1
    logits = {task: random.normal(size=shape).astype(np.float32) for task in TASKS}
    return labels, logits, {"like": random.random(shape).astype(np.float32)}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(50,), (50, 1)])
def test_they_are_those_of_each_task(weighted, shape):
    together = RankingMetrics(TASKS)
    each = {task: (MaskedLogLoss(), MaskedAUC()) for task in TASKS}
    for seed in range(3):
        labels, logits, weights = make_batch(seed, shape)
        together.update_state(labels, logits, weights if weighted else {})
        for task, metrics in each.items():
            weight = weights.get(task) if weighted else None
            for metric in metrics:
                metric.update_state(labels[task], logits[task], weight)
    found = {name: float(value) for name, value in together.result().items()}
    expected = {
        f"{task}_{metric.name}": float(metric.result())
        for task, metrics in each.items()
        for metric in metrics
    }
    assert list(found) == list(expected) == together.names
    assert found == pytest.approx(expected, rel=1e-5, nan_ok=True)
    assert math.isnan(found["never_auc"])
    loss = together.weighted_loss({"click": 2.0, "like": 0.5, "never": 1.0})
    parts = 2.0 * expected["click_log_loss"] + 0.5 * expected["like_log_loss"]
    assert float(loss) == pytest.approx(parts, rel=1e-5)


def test_they_forget_when_they_are_reset():
    metrics = RankingMetrics(TASKS)
    metrics.update_state(*make_batch(0, (50,)))
    before = {name: float(value) for name, value in metrics.result().items()}
    metrics.reset_state()
    assert all(math.isnan(value) for value in metrics.result().values())
    metrics.update_state(*make_batch(0, (50,)))
    after = {name: float(value) for name, value in metrics.result().items()}
    assert after == pytest.approx(before, nan_ok=True)


@pytest.mark.parametrize("wrong", ["label", "logit"])
def test_what_is_no_number_shows_in_its_task_alone(wrong):
    labels, logits, _ = make_batch(0, (50,))
    if wrong == "label":
        labels["click"][3] = 0.5
    else:
        logits["click"][3] = math.nan
    metrics = RankingMetrics(TASKS)
    metrics.update_state(labels, logits, {})
    found = {name: float(value) for name, value in metrics.result().items()}
    assert math.isnan(found["click_log_loss"])
    assert math.isnan(found["click_auc"])
    assert math.isfinite(found["like_log_loss"])
    assert math.isfinite(found["like_auc"])
