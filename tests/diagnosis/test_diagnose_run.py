"""The diagnosis of a run: exact over a split, for every architecture."""

import json
import shutil

import numpy as np
import pytest

from home_tf.backend import IS_LEGACY
from home_tf.config import override_config
from home_tf.diagnosis import inspect, judge
from home_tf.diagnosis.diagnose_run import diagnose_run
from home_tf.errors import HomeError
from home_tf.run import Run
from home_tf.training import Experiment, train
from home_tf.training.evaluate import evaluate_run

FRAMEWORK = "tfrs" if IS_LEGACY else "keras"


@pytest.fixture(scope="module")
def config(small_config):
    return small_config(
        training__framework=FRAMEWORK,
        training__epochs=1,
        training__monitor_experts=10,
        model__architecture={"expert": {"units": [4]}, "lora_rank": 2},
    )


@pytest.fixture(scope="module")
def run(config, prepared, tmp_path_factory):
    return train(config, prepared, tmp_path_factory.mktemp("diagnosed") / "run")


def test_the_figures_are_those_of_all_rows(config, prepared, run):
    steps = []
    found = diagnose_run(run, split="test", progress=lambda *one: steps.append(one))
    assert (found["format"], found["version"]) == ("home_tf.diagnostics", 1)
    experiment = Experiment.open(config, prepared)
    rows = experiment.data.split("test").rows
    assert found["rows"] == rows == steps[-1][1] == steps[-1][2]
    network = experiment.load_network(run.find_best())
    ((features, *_),) = list(experiment.read("test", batch_size=rows))
    whole = inspect(network, features)
    for name, gate in whole.gates.items():
        weights = list(found["gates"][name]["weights"].values())
        np.testing.assert_allclose(weights, gate.weights.mean(axis=0), atol=1e-5)
    for name, outputs in whole.experts.items():
        variance = found["experts"][name]["variance"]
        assert variance == pytest.approx(outputs.var(), rel=1e-3)
    values = whole.feature_gates["meta/inter"].mean(axis=0)
    by_feature = found["feature_gates"]["meta/inter"]["features"]
    # The embedded ones in the order of the configuration, then the numbers.
    numbers = ["video_impressions", "user_is_click_rate"]
    embedded = [name for name in config.features if name not in numbers]
    assert list(by_feature) == [*embedded, *numbers]
    assert by_feature["user_id"] == pytest.approx(values[:4].mean(), abs=1e-5)
    assert by_feature["user_is_click_rate"] == pytest.approx(values[-1], abs=1e-5)
    assert set(found["tasks"]) == {"long_view", "is_click", "is_like"}
    for masses in found["tasks"].values():
        assert sum(masses.values()) == pytest.approx(1.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ple", "single_task"])
def test_other_architectures_have_figures(config, prepared, tmp_path, name):
    other = override_config(
        config, {"model.architecture": {"type": name, "expert": {"units": [4]}}}
    )
    found = diagnose_run(train(other, prepared, tmp_path / "run"))
    assert found["experts"]
    assert bool(found["gates"]) == (name == "ple")
    assert not found["feature_gates"]


@pytest.mark.slow
def test_it_has_what_a_report_needs(config, run):
    found = diagnose_run(run, split="test")
    assert found["run"] == "run"
    assert (found["architecture"], found["seed"]) == ("home", config.training.seed)
    assert found["task_groups"] == config.task_groups
    verdicts = [verdict.to_json() for verdict in judge(found)]
    assert found["verdicts"] == verdicts
    measured = evaluate_run(run)["test"]
    for metric in ("auc", "gauc", "auc_interval"):
        assert found["metrics"][metric] == measured[metric]
    for task, curve in found["calibration_curves"].items():
        assert sum(one["rows"] for one in curve) == measured["examples"][task]
    steps = [one["step"] for one in found["curves"]]
    assert steps[0] == 0
    assert steps[-1] == Experiment.open(config, run.open_data()).steps_per_epoch
    assert "gates/task/inter/is_like/largest_weight" in found["curves"][-1]["values"]
    assert "experts/meta/shared/0/gradient_norm" in found["curves"][-1]["values"]
    json.dumps(found, allow_nan=False)


@pytest.mark.slow
def test_without_a_monitor_there_are_no_curves(config, prepared, tmp_path):
    off = override_config(config, {"training.monitor_experts": 0})
    run = train(off, prepared, tmp_path / "run")
    assert diagnose_run(run)["curves"] == []
    assert not run.curves_file.exists()


def test_another_training_takes_the_figures_away(run, tmp_path):
    copy = Run(shutil.copytree(run.folder, tmp_path / "run"))
    copy.diagnosis.mkdir()
    (copy.diagnosis / "diagnostics.json").write_text("{}")
    copy.start_training()
    assert not copy.diagnosis.exists()


def test_what_cannot_be_diagnosed_is_told(run, tmp_path):
    with pytest.raises(HomeError, match=r"no rows in the split 'tset', which a diag"):
        diagnose_run(run, split="tset")
    with pytest.raises(HomeError, match=r"does not contain a run"):
        diagnose_run(Run(tmp_path))
