"""Importance by task, against a loop over columns with scikit-learn."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from home_tf.backend import IS_LEGACY
from home_tf.diagnosis.diagnose_run import diagnose_run
from home_tf.diagnosis.importance import permutation_importance, read_rows
from home_tf.errors import HomeError
from home_tf.evaluation import gauc
from home_tf.training import Experiment, train

FRAMEWORK = "tfrs" if IS_LEGACY else "keras"


@pytest.fixture(scope="module")
def run(small_config, prepared, tmp_path_factory):
    config = small_config(
        training__framework=FRAMEWORK,
        model__architecture={"type": "shared_bottom", "expert": {"units": [8]}},
    )
    return train(config, prepared, tmp_path_factory.mktemp("importance") / "run")


@pytest.fixture(scope="module")
def experiment(run, prepared):
    return Experiment.open(run.load_config(), prepared)


@pytest.fixture(scope="module")
def network(experiment, run):
    return experiment.load_network(run.find_best())


def probabilities_of(experiment, network, columns):
    batch = {name: tf.constant(values) for name, values in columns.items()}
    logits = network(experiment.preprocessor(batch), training=False)
    return {task: tf.sigmoid(x).numpy().ravel() for task, x in logits.items()}


def test_the_losses_are_those_of_scikit_learn(experiment, network):
    chosen = ["user_id", "video_*+user_is_click_rate"]
    found = permutation_importance(
        experiment, network, "test", features=chosen, replicates=30, seed=5
    )
    assert set(found) == set(chosen)
    rows = read_rows(experiment, "test")
    base = probabilities_of(experiment, network, rows.columns)
    together = [
        ["user_id"],
        ["video_id", "video_impressions", "user_is_click_rate"],
    ]
    for number, (name, columns) in enumerate(zip(chosen, together, strict=True)):
        order = np.random.default_rng([5, number]).permutation(len(rows.groups))
        changed = {c: rows.columns[c][order] for c in columns}
        without = probabilities_of(experiment, network, {**rows.columns, **changed})
        for task, labels in rows.labels.items():
            loss = roc_auc_score(labels, base[task])
            loss -= roc_auc_score(labels, without[task])
            one = found[name]["auc"][task]
            assert one["loss"] == pytest.approx(loss, abs=1e-5)
            assert one["low"] <= one["high"]
            loss = gauc(labels, base[task], rows.groups)
            loss -= gauc(labels, without[task], rows.groups)
            assert found[name]["gauc"][task]["loss"] == pytest.approx(loss, abs=1e-4)


def test_a_column_that_the_network_ignores_has_no_importance(experiment, network):
    table = network.features.embedding_of("user_active_degree")
    before = np.array(table)
    table.assign(np.zeros_like(before))  # all its values are one to the network
    try:
        found = permutation_importance(
            experiment, network, "test", features=["user_active*"], replicates=5
        )
    finally:
        table.assign(before)
    for losses in found["user_active_degree"].values():
        assert {tuple(one.values()) for one in losses.values()} == {(0.0, 0.0, 0.0)}


def test_the_most_important_come_first_and_the_progress_is_told(experiment, network):
    steps = []
    found = permutation_importance(
        experiment,
        network,
        "test",
        replicates=2,
        progress=lambda *one: steps.append(one),
    )
    assert set(found) == set(experiment.preprocessor.columns)
    means = [
        np.mean([one["loss"] for one in losses["auc"].values()])
        for losses in found.values()
    ]
    assert means == sorted(means, reverse=True)
    assert steps[0] == ("shuffling columns", 0, len(found))
    assert steps[-1] == ("shuffling columns", len(found), len(found))


def test_a_pattern_that_is_no_column_is_told(run):
    with pytest.raises(
        HomeError, match=r"`features` has 'usr_\*', which matches no col"
    ):
        diagnose_run(run, importance_of=["user_id+usr_*"])


@pytest.mark.slow
def test_the_diagnosis_of_a_run_has_it(run):
    found = diagnose_run(run, importance_of=["tag"])
    assert list(found["importance"]) == ["tag"]
    assert "importance" not in diagnose_run(run)
