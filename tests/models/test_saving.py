"""Saved models: in every format of the Keras in force, loaded by a fresh process."""

import subprocess
import sys

import numpy as np
import pytest

from home_tf.backend import IS_LEGACY, keras
from home_tf.config import ARCHITECTURES
from home_tf.features import EmbeddedFeature, EmbeddingTable, FeatureEmbedding
from home_tf.layers import Expert, MMoE, TaskTowers
from home_tf.models import RankingModel, RankingNetwork

GROUPS = {"watch": ["view"], "inter": ["like", "click"]}
TASKS = ["view", "like", "click"]
needs_tfrs = pytest.mark.skipif(not IS_LEGACY, reason="TFRS needs legacy Keras")

LOAD = """
import sys
{first}
{second}
import numpy as np
model = keras.models.load_model(sys.argv[1])
with np.load(sys.argv[2]) as arrays:
    features = {{name: arrays[name] for name in arrays.files}}
np.savez(sys.argv[3], **model.predict(features, verbose=0))
"""
KERAS = "import tf_keras as keras" if IS_LEGACY else "import keras"


def make_model(kind=RankingModel):
    features = FeatureEmbedding(
        {"user": EmbeddingTable(9, 4)}, {"user": EmbeddedFeature("user")}, num_numeric=2
    )
    # Every architecture has its turn below; this one is traced quickly.
    experts = MMoE(GROUPS, num_experts=2, expert=Expert.home(units=(4,)))
    network = RankingNetwork(features, experts, TaskTowers(experts.tasks))
    network.build(None)
    return kind(network, TASKS)


def make_data():
    random = np.random.default_rng(0)
    x = {
        "user": random.integers(0, 9, 16),
        "numeric_features": random.normal(size=(16, 2)).astype(np.float32),
    }
    return x, {t: random.integers(0, 2, 16).astype(np.float32) for t in TASKS}


def model_kind(name):
    if name == "keras":
        return RankingModel
    from home_tf.tfrs import RankingModel as TFRSRankingModel

    return TFRSRankingModel


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["keras", pytest.param("tfrs", marks=needs_tfrs)])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_fresh_process_loads_a_model_after_an_import_of_home_tf_alone(
    tmp_path, kind, compiled
):
    model = make_model(model_kind(kind))
    x, labels = make_data()
    if compiled:
        model.compile("adam", metrics={"like": keras.metrics.BinaryAccuracy()})
        model.fit(x, labels, verbose=0)
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "features.npz", **x)
    # Whichever is imported first.
    order = ("import home_tf", KERAS)
    first, second = order if compiled else order[::-1]
    files = [str(tmp_path / n) for n in ("model.keras", "features.npz", "found.npz")]
    program = LOAD.format(first=first, second=second)
    subprocess.run([sys.executable, "-c", program, *files], check=True)
    with np.load(tmp_path / "found.npz") as found:
        for task in TASKS:
            np.testing.assert_allclose(found[task], expected[task], atol=1e-6)


def test_a_compiled_model_comes_back_compiled_as_it_was(tmp_path):
    model = make_model()
    x, labels = make_data()
    model.compile("adam", metrics={"like": keras.metrics.BinaryAccuracy()})
    model.fit(x, labels, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    found = [
        m.evaluate(x, labels, verbose=0, return_dict=True) for m in (model, loaded)
    ]
    before, after = ({name: float(v) for name, v in one.items()} for one in found)
    assert after == pytest.approx(before, abs=1e-6)
    assert "like_binary_accuracy" in after


@pytest.mark.parametrize("kind", ["keras", pytest.param("tfrs", marks=needs_tfrs)])
def test_weights_in_h5_come_back(tmp_path, kind):
    file = str(tmp_path / "weights.weights.h5")
    model, other = make_model(model_kind(kind)), make_model(model_kind(kind))
    x, _ = make_data()
    expected, _ = (m.predict(x, verbose=0) for m in (model, other))
    model.save_weights(file)
    other.load_weights(file)
    for task, found in other.predict(x, verbose=0).items():
        np.testing.assert_allclose(found, expected[task], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("file", ["model.keras", "model.h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_functional_model_of_every_architecture_can_be_saved(tmp_path, name, file):
    """H5 keeps weights by their names: no two may have one."""
    inputs = keras.Input((6,))
    representations = ARCHITECTURES[name](GROUPS, expert=Expert.home(units=(4,)))
    outputs = TaskTowers(TASKS)(representations(inputs))
    model = keras.Model(inputs, outputs)
    paths = [getattr(w, "path", w.name) for w in model.weights]
    assert len(set(paths)) == len(paths)
    model.save(tmp_path / file)
    loaded = keras.models.load_model(tmp_path / file)
    x = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    expected = model.predict(x, verbose=0)
    for task, found in loaded.predict(x, verbose=0).items():
        np.testing.assert_allclose(found, expected[task], atol=1e-6)


@pytest.mark.slow
def test_the_best_weights_are_kept_by_a_callback_of_keras(tmp_path):
    file = str(tmp_path / "best.weights.h5")
    model = make_model()
    x, labels = make_data()
    model.compile("adam")
    keep = keras.callbacks.ModelCheckpoint(
        file, monitor="loss", save_best_only=True, save_weights_only=True
    )
    model.fit(x, labels, epochs=2, callbacks=[keep], verbose=0)
    other = make_model()
    other.predict(x, verbose=0)
    other.load_weights(file)
    for ours, theirs in zip(other.get_weights(), model.get_weights(), strict=True):
        assert ours.shape == theirs.shape
