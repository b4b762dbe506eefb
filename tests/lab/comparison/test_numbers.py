"""A regression task in a comparison: networks and LightGBM learn it alike."""

import numpy as np
import pytest

from home_tf.evaluation import auc, gauc
from home_tf.lab.comparison.compared_model import compared_models
from home_tf.lab.comparison.fold_trainer import FoldTrainers
from home_tf.lab.comparison.plan import model_config
from home_tf.lab.comparison.trainer import validation_score
from home_tf.lab.comparison.training import Training, measure

HOME, SHARED_BOTTOM, LIGHTGBM = compared_models(["shared_bottom", "lightgbm"])
TASK = {"group": "watch", "type": "regression", "loss": "log1p"}
SECONDS = "CASE WHEN play_time_ms > 0 THEN play_time_ms / 1000 END"


@pytest.fixture(scope="module")
def fold(start_comparison, tmp_path_factory):
    """The plan of a comparison with a task of watch times, and trainers of its fold."""
    out = tmp_path_factory.mktemp("numbers") / "comparison"
    plan = start_comparison(
        out,
        training__epochs=3,
        tasks__play_time=TASK,
        data__columns__play_time=SECONDS,
    )
    return plan, FoldTrainers(plan, plan.config, plan.make_folds(out)[0], threads=1)


@pytest.mark.slow
@pytest.mark.parametrize("model", [SHARED_BOTTOM, LIGHTGBM], ids=lambda c: c.name)
def test_both_learn_numbers_and_are_measured_by_pairs(fold, model):
    plan, trainers = fold
    config = plan.config
    if model is not LIGHTGBM:
        config = model_config(config, model)
    trainer = trainers.make(model, config, {})
    result = trainer.fit(0)
    test = trainers.load("test")
    found = trainer.predict(test)
    labels, predicted = test.labels["play_time"], found["play_time"]
    known = ~np.isnan(labels)
    assert 0 < known.sum() < len(labels)
    share = auc(labels, predicted, numeric=True)
    assert share > 0.55
    assert predicted.min() >= 0
    # Long-tailed: the median is what a logarithm predicts.
    assert 0.3 < np.median(predicted) / np.median(labels[known]) < 3
    measured = measure(test, found)
    assert measured["auc"]["play_time"] == share
    by_user = gauc(labels, predicted, test.groups, numeric=True)
    assert measured["gauc"]["play_time"] == by_user
    assert measured["positives"]["play_time"] == known.sum()
    validation = trainers.load("validation")
    score = validation_score(
        config, validation.labels, trainer.predict(validation), validation.groups, "auc"
    )
    assert result.score == pytest.approx(score, abs=1e-9)


def test_a_training_keeps_the_numbers(fold, tmp_path):
    _, trainers = fold
    test = trainers.load("test")
    trainer = trainers.make(LIGHTGBM, fold[0].config, {})
    result = trainer.fit(0)
    found = trainer.predict(test)
    training = Training(LIGHTGBM, 0, 0, tmp_path)
    training.save(result, test, found, experts=None, replicates=20, origin={})
    with np.load(training.folder / "predictions.npz") as kept:
        np.testing.assert_array_equal(kept["label:play_time"], test.labels["play_time"])
        assert kept["label:is_click"].dtype == np.int8
    drawn = training.replicates(["play_time"], ["auc"])["auc"][0]
    share = auc(test.labels["play_time"], found["play_time"], numeric=True)
    assert drawn.min() < share < drawn.max()
    alone = trainers.single_feature_auc(test)
    assert 0.4 < alone["play_time"] < 1
