"""The trainers: what a fit depends on, and what LightGBM reads."""

from types import SimpleNamespace

import numpy as np
import pytest

from home_tf.config import override_config
from home_tf.evaluation import auc
from home_tf.lab.comparison.compared_model import compared_models
from home_tf.lab.comparison.fold_trainer import FoldTrainers
from home_tf.lab.comparison.plan import model_config
from home_tf.lab.comparison.target_statistics import TargetStatistics
from home_tf.lab.comparison.worker import _score
from home_tf.training import train
from home_tf.training.evaluate import evaluate_run

HOME, LIGHTGBM = compared_models(["lightgbm"])
# Few operations, with all that a fit changes: batch statistics are HoME's.
EXPERT = {"units": [8], "activation": "swish", "batch_norm": True}
FEW_OPERATIONS = {"model.architecture": {"type": "shared_bottom", "expert": EXPERT}}


@pytest.fixture(scope="module")
def fold(start_comparison, tmp_path_factory):
    """The plan of a comparison, and its fold."""
    out = tmp_path_factory.mktemp("trainers") / "comparison"
    plan = start_comparison(out, model__dropout=0.2, training__epochs=3)
    return plan, plan.make_folds(out)[0]


@pytest.fixture(scope="module")
def trainers(fold):
    plan, first = fold
    return plan, FoldTrainers(plan, plan.config, first, threads=1)


@pytest.fixture(scope="module")
def config(fold):
    return override_config(model_config(fold[0].config, HOME), FEW_OPERATIONS)


@pytest.fixture(scope="module")
def network(trainers, config):
    return trainers[1].make(HOME, config, {})


@pytest.mark.slow
@pytest.mark.parametrize("loss_weighting", ["sum", "uncertainty", "gradnorm"])
def test_a_fit_does_not_depend_on_the_fits_before_it(trainers, config, loss_weighting):
    _, made = trainers
    config = override_config(
        config, {"training.loss_weighting": loss_weighting, "training.epochs": 1}
    )
    network, test = made.make(HOME, config, {}), made.load("test")
    found = []
    for seed in (0, 1, 0):
        result = network.fit(seed)
        found.append((result, network.predict(test)["is_click"]))
    (first, p), (_, other), (again, q) = found
    losses = [[epoch["loss"] for epoch in f.history] for f in (first, again)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    np.testing.assert_allclose(p, q, atol=1e-5)
    assert np.abs(p - other).max() > 1e-3


@pytest.mark.slow
def test_a_fit_keeps_its_best_epoch(trainers, network):
    result = network.fit(2)
    scores = [epoch["score"] for epoch in result.history]
    assert result.best_epoch == 1 + int(np.argmax(scores))
    assert result.score == max(scores) > 0.5
    validation = trainers[1].load("validation")
    found = network.predict(validation)
    aucs = [auc(validation.labels[task], found[task]) for task in found]
    assert result.score == pytest.approx(np.mean(aucs), abs=1e-6)


@pytest.mark.slow
def test_validations_within_an_epoch_change_when_it_stops_alone(trainers, config):
    settings = {"training.epochs": 2, "training.patience": 99, "model.dropout": 0.0}
    found = []
    for every in (None, 2):
        one = override_config(config, {**settings, "training.validate_every": every})
        found.append(trainers[1].make(HOME, one, {}).fit(0).history)
    plain, within = found
    assert [entry["epoch"] for entry in plain] == [1.0, 2.0]
    epochs = [entry["epoch"] for entry in within]
    assert epochs == sorted(epochs)
    assert len(epochs) > 2
    ends = {entry["epoch"]: entry["score"] for entry in within}
    for entry in plain:
        assert ends[entry["epoch"]] == pytest.approx(entry["score"], abs=1e-6)


def test_the_experts_are_those_of_the_weights_in_place(trainers, network):
    validation = trainers[1].load("validation")
    epochs = []
    result = network.fit(
        1, after_epoch=lambda: epochs.append(network.measure_experts(validation))
    )
    assert len(epochs) == len(result.history)
    assert {found["rows"] for found in epochs} == {validation.rows}
    variances = [found["experts"]["shared/0"]["variance"] for found in epochs]
    assert len(set(variances)) == len(variances)
    best = network.measure_experts(validation)["experts"]["shared/0"]["variance"]
    assert best == pytest.approx(variances[int(result.best_epoch) - 1])


def test_a_trial_that_diverges_scores_worst():
    class Diverged:
        def fit(self, seed):
            return auc(np.array([0.0, 1.0]), np.array([np.nan, 1.0]))

    assert _score(Diverged(), seeds=1) == 0.0


def test_a_trial_scores_the_mean_of_its_trainings():
    class Known:
        def fit(self, seed):
            return SimpleNamespace(score=[0.5, 0.6, 1.0][seed])

    assert _score(Known(), seeds=3) == pytest.approx(0.7)
    assert _score(Known(), seeds=1) == 0.5


@pytest.mark.slow
def test_a_fit_learns_as_well_as_train_does(fold, trainers, config, network, tmp_path):
    """The two shuffle otherwise, so that only their quality can be compared."""
    made = trainers[1]
    run = train(config, fold[1].folder, tmp_path / "run")
    expected = evaluate_run(run, splits=["test"])["test"]["auc"]["is_click"]
    network.fit(0)
    test = made.load("test")
    found = auc(test.labels["is_click"], network.predict(test)["is_click"])
    assert found == pytest.approx(expected, abs=0.05)


def test_the_rates_of_ids_are_smoothed():
    ids, labels = np.array([1, 1, 2, 3]), np.array([1.0, 0.0, 1.0, 0.0])
    found = TargetStatistics(ids, labels, smoothing=2.0).of(np.array([1, 2, 9]))
    np.testing.assert_allclose(found, [(1 + 1) / 4, (1 + 1) / 3, 0.5])


def test_the_rate_of_a_training_row_does_not_tell_its_label():
    random = np.random.default_rng(0)
    labels = random.integers(2, size=2000).astype(float)
    ids = np.arange(2000)  # an id a row: a rate with the own label would tell it all
    rates = TargetStatistics(ids, labels).of_training_rows(seed=0)
    assert auc(labels, rates) < 0.55


def test_lightgbm_learns_and_leaves_missing_labels_out(trainers):
    plan, made = trainers
    trainer = made.make(LIGHTGBM, plan.config, {"num_leaves": 7})
    train_data = trainer._train
    usual = train_data.labels["is_like"].copy()
    try:
        train_data.labels["is_like"][:] = -1.0
        result = trainer.fit(seed=0)
    finally:
        train_data.labels["is_like"][:] = usual
    test = made.load("test")
    found = trainer.predict(test)
    assert auc(test.labels["is_click"], found["is_click"]) > 0.57
    assert set(found["is_like"]) == {0.0}
    assert result.params > 2
    assert result.best_epoch >= 1
    assert all(len(p) == test.rows for p in found.values())
