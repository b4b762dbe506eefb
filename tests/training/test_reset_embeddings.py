"""Embedding tables that are re-initialised between epochs."""

import numpy as np
import pytest
from support.checkpoints import last_checkpoint
from support.strategies import two_devices

from home_tf.backend import IS_LEGACY
from home_tf.backend.variables import named_variables
from home_tf.config import override_config
from home_tf.training import Experiment, callbacks, train
from home_tf.training.reset_embeddings import reset_embeddings

FRAMEWORK = "tfrs" if IS_LEGACY else "keras"


@pytest.fixture(scope="module")
def config(small_config):
    return small_config(
        training__framework=FRAMEWORK,
        training__epochs=2,
        training__patience=9,
        training__reset_embeddings=True,
        model__architecture={"type": "shared_bottom", "expert": {"units": [4]}},
    )


def weights_of(run, config, prepared):
    network = Experiment.open(config, prepared).load_network(last_checkpoint(run))
    return network.get_weights()


def assert_same(ours, theirs, atol=1e-6):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=atol)


@pytest.mark.parametrize("optimizer", ["adam", "lazy_adam"])
def test_tables_and_their_moments_alone_are_reset(config, prepared, optimizer):
    config = override_config(config, {"training.optimizer": optimizer})
    experiment = Experiment.open(config, prepared)
    model = experiment.make_model()
    model.fit(experiment.read_training(), steps_per_epoch=3, shuffle=False, verbose=0)
    tables = [stack.embeddings for stack in model.network.features.stacks.values()]
    others = [w for part in model.network.dense_parts for w in part.trainable_weights]

    def values(variables):
        return [np.array(variable) for variable in variables]

    def moments(variables):
        found = [moment for w in variables for moment in model.optimizer._moments(w)]
        return values(found)

    before = values(others), moments(others), values(tables)
    assert all(np.abs(moment).max() > 0 for moment in moments(tables))
    reset_embeddings(model, seed=0, epoch=1)
    assert_same(values(others), before[0], atol=0)
    assert_same(moments(others), before[1], atol=0)
    assert not any(moment.any() for moment in moments(tables))
    first = values(tables)
    for table, old in zip(first, before[2], strict=True):
        assert (table != old).all(axis=None)
        # As Keras draws embeddings: uniform from -0.05 to 0.05.
        assert np.abs(table).max() <= 0.05
        assert table.std() == pytest.approx(0.05 / 3**0.5, rel=0.2)
    reset_embeddings(model, seed=0, epoch=2)
    assert all(
        (a != b).mean() > 0.9 for a, b in zip(first, values(tables), strict=True)
    )
    reset_embeddings(model, seed=0, epoch=1)
    assert_same(values(tables), first, atol=0)


def test_every_epoch_but_the_first_begins_with_a_reset(
    config, prepared, tmp_path, monkeypatch
):
    found = []

    def note(model, *, seed, epoch):
        found.append((seed, epoch, int(model.optimizer.iterations)))

    monkeypatch.setattr(callbacks, "reset_embeddings", note)
    config = override_config(config, {"training.epochs": 3, "training.seed": 5})
    train(config, prepared, tmp_path / "run")
    steps = Experiment.open(config, prepared).steps_per_epoch
    assert found == [(5, 1, steps), (5, 2, 2 * steps)]
    found.clear()
    off = override_config(config, {"training.reset_embeddings": False})
    train(off, prepared, tmp_path / "off")
    assert found == []


@pytest.mark.slow
def test_an_extended_run_ends_as_one_of_all_epochs(config, prepared, tmp_path):
    """Its last checkpoint has the tables as trained; the next epoch resets them."""
    one = override_config(config, {"training.epochs": 1})
    run = train(one, prepared, tmp_path / "run")
    train(config, prepared, run.folder)
    whole = train(config, prepared, tmp_path / "whole")
    ours, theirs = (weights_of(each, config, prepared) for each in (run, whole))
    assert_same(ours, theirs, atol=1e-5)


@pytest.mark.slow
def test_two_replicas_have_the_same_tables(config, prepared, tmp_path):
    runs = [
        train(config, prepared, tmp_path / name, strategy=strategy)
        for name, strategy in (("one", None), ("two", two_devices()))
    ]
    one, two = (weights_of(run, config, prepared) for run in runs)
    assert_same(one, two, atol=2e-3)


def test_a_reset_changes_all_embeddings_and_no_other_weight(config, prepared):
    experiment = Experiment.open(config, prepared)
    model = experiment.make_model()
    before = {k: np.array(v) for k, v in named_variables(model.network).items()}
    reset_embeddings(model, seed=1, epoch=1)
    after = {k: np.array(v) for k, v in named_variables(model.network).items()}
    changed = {name for name in before if (before[name] != after[name]).any()}
    assert changed == {name for name in before if name.startswith("features/")}
    assert changed
