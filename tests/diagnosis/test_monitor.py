"""The figures during a training: when they are taken, and of which weights."""

import numpy as np
import pytest
import tensorflow as tf
from support.strategies import two_devices

from home_tf.backend import IS_LEGACY, keras
from home_tf.diagnosis import ExpertMonitor, Figures, inspect
from home_tf.errors import HomeError
from home_tf.files import read_json_lines
from home_tf.layers import Expert, MMoE, TaskTowers
from home_tf.losses import MaskedBinaryCrossentropy
from home_tf.models import RankingModel

GROUPS = {"inter": ["click", "like"]}
TASKS = ["click", "like"]
X = np.random.default_rng(0).normal(size=(96, 6)).astype(np.float32)
HELD_OUT = np.random.default_rng(1).normal(size=(32, 6)).astype(np.float32)


def make_network():
    inputs = keras.Input((6,))
    experts = MMoE(GROUPS, num_experts=3, expert=Expert.relu(units=(5, 4)))
    return keras.Model(inputs, TaskTowers(TASKS)(experts(inputs)))


def make_data():
    labels = {t: (X[:, [i]] > 0).astype(np.float32) for i, t in enumerate(TASKS)}
    return tf.data.Dataset.from_tensor_slices((X, labels)).batch(16)


def fit(model, monitor, epochs=2):
    return model.fit(
        make_data(), epochs=epochs, callbacks=[monitor], shuffle=False, verbose=0
    )


def figures_of(model):
    figures = Figures()
    figures.add(inspect(model, HELD_OUT))
    return figures.result()


def test_a_plain_model_is_measured_every_so_many_steps():
    model = make_network()
    model.compile(
        keras.optimizers.Adam(0.02), loss={t: MaskedBinaryCrossentropy() for t in TASKS}
    )
    start = figures_of(model)
    monitor = ExpertMonitor(HELD_OUT, every=4)
    fit(model, monitor)  # 6 steps an epoch
    assert [one["step"] for one in monitor.history] == [0, 4, 8, 12]
    for name, expert in start["experts"].items():
        found = monitor.history[0]["experts"][name]
        assert found["variance"] == pytest.approx(expert["variance"], rel=1e-4)
        assert found["zeros"] == expert["zeros"]
    end = figures_of(model)
    weights = monitor.history[-1]["gates"]["click"]["weights"]
    assert weights == pytest.approx(end["gates"]["click"]["weights"], rel=1e-4)
    assert weights != pytest.approx(start["gates"]["click"]["weights"], rel=1e-3)


def models():
    yield pytest.param(lambda: RankingModel, id="keras")
    if IS_LEGACY:

        def tfrs_model():
            from home_tf.tfrs import RankingModel as TFRSRankingModel

            return TFRSRankingModel

        yield pytest.param(tfrs_model, id="tfrs")


@pytest.mark.parametrize("kind", list(models()))
def test_under_a_strategy_it_says_the_same(kind):
    found = []
    for strategy in (tf.distribute.get_strategy(), two_devices()):
        keras.utils.set_random_seed(3)
        with strategy.scope():
            model = kind()(make_network(), TASKS)
            model.compile(keras.optimizers.SGD(0.1))
        monitor = ExpertMonitor(HELD_OUT, every=3)
        fit(model, monitor, epochs=1)
        found.append(monitor.history)
    for one, two in zip(*found, strict=True):
        assert one["step"] == two["step"]
        for name, gate in one["gates"].items():
            other = two["gates"][name]["weights"]
            assert gate["weights"] == pytest.approx(other, abs=1e-4)


def test_curves_go_to_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import (
        EventAccumulator,
    )

    model = make_network()
    model.compile("adam", loss={t: MaskedBinaryCrossentropy() for t in TASKS})
    monitor = ExpertMonitor(HELD_OUT, every=6, log_dir=tmp_path / "experts")
    fit(model, monitor)
    curves = EventAccumulator(str(tmp_path / "experts"))
    curves.Reload()
    events = curves.Tensors("gates/click/largest_weight")
    assert [event.step for event in events] == [0, 6, 12]
    values = [tf.make_ndarray(event.tensor_proto).item() for event in events]
    expected = [one["gates"]["click"]["largest_weight"] for one in monitor.history]
    assert values == pytest.approx(expected)
    assert "experts/shared/0/dead_dimensions" in curves.Tags()["tensors"]
    # A heat map of two tasks by three experts, in cells of 16 pixels.
    (picture, *_) = curves.Tensors("gates/contributions")
    width, height, png = tf.make_ndarray(picture.tensor_proto)
    assert (int(width), int(height)) == (3 * 16, 2 * 16)
    assert tf.io.decode_png(png).shape == (2 * 16, 3 * 16, 3)


def test_the_steps_are_right_when_keras_takes_several_at_once():
    model = make_network()
    model.compile("adam", loss={t: MaskedBinaryCrossentropy() for t in TASKS})
    model.steps_per_execution = 4  # of 6 steps an epoch: 4, then 2
    monitor = ExpertMonitor(HELD_OUT, every=5)
    fit(model, monitor)
    assert [one["step"] for one in monitor.history] == [0, 6, 10, 12]


def test_with_labels_it_has_gradient_norms():
    model = make_network()
    model.compile("adam", loss={t: MaskedBinaryCrossentropy() for t in TASKS})
    labels = {t: (HELD_OUT[:, i] > 0).astype(np.float32) for i, t in enumerate(TASKS)}
    monitor = ExpertMonitor(HELD_OUT, labels, every=100)
    fit(model, monitor)
    figures = Figures()
    figures.add(inspect(model, HELD_OUT, labels))
    for name, expert in figures.result()["experts"].items():
        found = monitor.history[-1]["experts"][name]["gradient_norm"]
        assert found == pytest.approx(expert["gradient_norm"], rel=1e-4)
        assert found > 0


def test_the_file_of_a_resumed_training_has_each_step_once(tmp_path):
    file = tmp_path / "curves.jsonl"
    model = make_network()
    model.compile("adam", loss={t: MaskedBinaryCrossentropy() for t in TASKS})
    first = ExpertMonitor(HELD_OUT, every=3, file=file)
    fit(model, first)
    steps = [one["step"] for one in read_json_lines(file)]
    assert steps == [0, 3, 6, 9, 12]
    # Killed in the second epoch, it resumes after the first.
    fit(model, ExpertMonitor(HELD_OUT, every=3, file=file, first_step=6), epochs=1)
    lines = read_json_lines(file)
    assert [one["step"] for one in lines] == steps
    weight = first.history[1]["gates"]["click"]["largest_weight"]
    assert lines[1]["values"]["gates/click/largest_weight"] == weight
    # Another training begins anew.
    fit(model, ExpertMonitor(HELD_OUT, every=6, file=file), epochs=1)
    assert [one["step"] for one in read_json_lines(file)] == [0, 6]


def test_a_model_that_has_diverged_is_not_measured():
    model = make_network()
    model.compile(
        keras.optimizers.SGD(1e30), loss={t: MaskedBinaryCrossentropy() for t in TASKS}
    )
    monitor = ExpertMonitor(HELD_OUT, every=1)
    fit(model, monitor)
    assert len(monitor.history) < 12
    values = [one["experts"]["shared/0"]["variance"] for one in monitor.history]
    assert np.isfinite(values).all()


def test_a_second_fit_goes_on(tmp_path):
    model = make_network()
    model.compile("adam", loss={t: MaskedBinaryCrossentropy() for t in TASKS})
    monitor = ExpertMonitor(HELD_OUT, every=6)
    for _ in range(2):
        fit(model, monitor, epochs=1)
    assert [one["step"] for one in monitor.history] == [0, 6, 12]


def test_what_it_cannot_do_is_told():
    with pytest.raises(HomeError, match=r"`every` must be at least 1. Received: 0"):
        ExpertMonitor(HELD_OUT, every=0)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse")
    with pytest.raises(HomeError, match=r"must contain one layer with experts"):
        model.fit(X, X[:, 0], callbacks=[ExpertMonitor(HELD_OUT)], verbose=0)
