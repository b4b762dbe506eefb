"""A regression task from a log to predictions, beside binary tasks."""

import json

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import pearsonr
from support.slow import slow_except

from home_tf.backend import IS_LEGACY
from home_tf.config import load_config, make_config
from home_tf.data import DatasetDirectory
from home_tf.diagnosis.diagnose_run import diagnose_run
from home_tf.errors import HomeError
from home_tf.evaluation import auc
from home_tf.export import export_run
from home_tf.prepare import prepare
from home_tf.training import Experiment, evaluate_run, train

FRAMEWORK = "tfrs" if IS_LEGACY else "keras"
# Of a video that is not watched there is no time; and it is in seconds.
SECONDS = "CASE WHEN play_time_ms > 0 THEN play_time_ms / 1000 END"


@pytest.fixture(
    scope="module", params=slow_except(["log1p"], ["log1p", "weighted_logistic"])
)
def trained(request, logs, tmp_path_factory):
    """A run with a task of watch times, its configuration and its records."""
    from support.small_config import SMALL_CONFIG

    folder = tmp_path_factory.mktemp("regression")
    text = SMALL_CONFIG.replace("tasks:\n", (
        "tasks:\n  play_time: {group: watch, type: regression, "
        f"loss: {request.param}}}\n"
    )).replace("columns:\n", f'columns:\n    play_time: "{SECONDS}"\n', 1)  # fmt: skip
    text = text.replace("is_like: 0.5", "is_like: 0.5, play_time: 0.3")
    (folder / "config.yaml").write_text(text)
    config = load_config(folder / "config.yaml", {"training.framework": FRAMEWORK})
    prepare(logs, config, folder / "records", shards=2)
    run = train(config, folder / "records", folder / "run")
    return run, config, folder / "records"


def labels_of(records, split):
    rows = DatasetDirectory(records).read(split, batch_size=10_000)
    return next(iter(rows))["play_time"].numpy()


def test_numbers_are_learnt_and_measured(trained):
    run, config, records = trained
    found = evaluate_run(run, splits=["test"])["test"]
    labels = labels_of(records, "test")
    experiment = Experiment.open(config, records)
    network = experiment.load_network(run.find_best())
    predictions = experiment.predict(network, "test")[0]
    predicted = predictions.probabilities["play_time"]
    known = ~np.isnan(labels)
    assert 0 < known.sum() < len(labels)  # some are missing
    error = predicted[known] - labels[known]
    assert found["mae"]["play_time"] == pytest.approx(np.abs(error).mean(), rel=1e-5)
    rmse = np.sqrt((error.astype(np.float64) ** 2).mean())
    assert found["rmse"]["play_time"] == pytest.approx(rmse, rel=1e-5)
    share = auc(labels, predicted, numeric=True)
    assert found["auc"]["play_time"] == share
    assert share > 0.55
    assert found["positives"]["play_time"] is None
    assert found["mae"]["is_click"] is None
    assert pearsonr(predicted[known], labels[known])[0] > 0.1
    # In the unit of the labels.
    assert 0.3 < predicted[known].mean() / labels[known].mean() < 2
    # It takes part in what picks the best epoch.
    history = run.history_file.read_text().splitlines()[0].split(",")
    assert {"val_play_time_auc", "val_play_time_gauc", "play_time_mae"} <= set(history)


def test_the_towers_begin_with_the_mean(trained):
    _, config, records = trained
    experiment = Experiment.open(config, records)
    loss = experiment.make_losses()["play_time"]
    labels = labels_of(records, "train")
    labels = labels[~np.isnan(labels)].astype(np.float64)
    found = float(loss.to_prediction(tf.constant(0.0)))
    if loss.kind == "log1p":
        assert found == pytest.approx(np.expm1(np.log1p(labels).mean()), rel=1e-4)
        assert loss.scale == pytest.approx(np.log1p(labels).std(), rel=1e-4)
    else:
        assert found == pytest.approx(labels.mean(), rel=1e-4)
    bias = experiment.make_network().towers.mlps.biases[-1]
    place = list(config.tasks).index("play_time")
    assert np.ravel(bias)[place] == 0.0


def test_numbers_are_exported_and_scored(trained, tmp_path):
    run, config, records = trained
    version = export_run(run, tmp_path / "model")
    model = tf.saved_model.load(str(version))
    rows = next(iter(DatasetDirectory(records).read("test", batch_size=64)))
    inputs = {
        name: tf.cast(rows[name], spec.dtype)
        for name, spec in model.signatures["predict"]
        .structured_input_signature[1]
        .items()
    }
    served = model.signatures["predict"](**inputs)
    experiment = Experiment.open(config, records)
    network = experiment.load_network(run.find_best())
    expected = experiment.predict(network, "test")[0].probabilities
    for task in config.tasks:
        np.testing.assert_allclose(served[task], expected[task][:64], rtol=1e-4)
    score = (
        expected["is_click"] * expected["is_like"] ** 0.5 * expected["play_time"] ** 0.3
    )
    np.testing.assert_allclose(served["score"], score[:64], rtol=1e-4)
    # Numbers have no class.
    examples = tf.saved_model.load(str(version)).signatures["classify"]
    assert examples.structured_outputs["scores"].shape[1] == len(config.tasks) - 1
    manifest = json.loads((version / "assets.extra" / "home_tf.json").read_text())
    assert "play_time" in manifest["config"]


@pytest.mark.slow
def test_a_diagnosis_shows_them(trained):
    run, _, _ = trained
    found = diagnose_run(run, importance_of=["user_is_click_rate"])
    assert found["metrics"]["mae"]["play_time"] > 0
    assert "play_time" not in found["calibration_curves"]
    assert "play_time" in found["importance"]["user_is_click_rate"]["auc"]
    # Every figure is a number: the gradients are those of the task's own loss.
    json.dumps(found, allow_nan=False)


def test_configurations_that_do_not_fit_are_refused():
    def make(task, **score):
        values = {
            "features": {"age": {"type": "numeric"}},
            "tasks": {"time": {"group": "a", **task}, "click": {"group": "b"}},
        }
        if score:
            values["serving"] = {"score": score}
        return make_config(values)

    with pytest.raises(HomeError, match="`loss` requires `type: regression`"):
        make({"loss": "log1p"})
    with pytest.raises(HomeError, match=r"tasks\.time\.loss.*cubic"):
        make({"type": "regression", "loss": "cubic"})
    number = {"type": "regression"}
    with pytest.raises(HomeError, match="is a product, in which"):
        make(number, weights={"time": 1.0})
    make(number, weights={"time": 1.0}, form="sum")
    make({**number, "loss": "log1p"}, weights={"time": 1.0})
