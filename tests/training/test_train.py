"""Training runs: what they leave, how they resume, and what they say of bad input."""

import csv
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from support.checkpoints import last_checkpoint, variables_of
from support.strategies import two_devices

from home_tf.backend import IS_LEGACY
from home_tf.data import DatasetDirectory, RecordWriter
from home_tf.errors import HomeError
from home_tf.export import export_run
from home_tf.provenance import git_revision
from home_tf.run import Run
from home_tf.training import Experiment, evaluate_run, train

FRAMEWORK = "tfrs" if IS_LEGACY else "keras"
# The layers have tests of their own; tracing this one is quick.
QUICK = {"type": "shared_bottom", "expert": {"units": [8]}}


@pytest.fixture(scope="module")
def config(small_config):
    return small_config(training__framework=FRAMEWORK, model__architecture=QUICK)


@pytest.fixture(scope="module")
def trained(config, prepared, tmp_path_factory):
    """A finished run and its metrics, which no test changes."""
    run = train(config, prepared, tmp_path_factory.mktemp("trained") / "run")
    return run, evaluate_run(run)


def weights_of(run):
    return variables_of(last_checkpoint(run), "network")


def test_a_run_leaves_what_its_documentation_says(config, trained):
    run, metrics = trained
    names = {path.name for path in run.folder.iterdir()}
    assert {
        "config.yaml",
        "run.json",
        "checkpoints",
        "logs",
        "history.csv",
        "metrics.json",
    } == names
    assert run.load_config() == config
    with run.history_file.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert {"loss", "val_mean_auc", "val_is_click_gauc"} <= set(rows[0])
    assert list((run.folder / "logs").rglob("events.out.tfevents.*"))
    assert json.loads(run.metrics_file.read_text()) == metrics
    more = {"calibration_method", "examples_per_second"}
    assert set(metrics) == {"validation", "test", *more}
    assert metrics["calibration_method"] == "none"
    for name in ("auc", "gauc", "log_loss", "calibration", "auc_interval"):
        assert list(metrics["test"][name]) == ["long_view", "is_click", "is_like"]


def test_a_run_names_the_revision_that_trained_it(trained):
    assert trained[0].load_state()["git_revision"] == git_revision()


def test_the_revision_is_that_of_the_repository_called_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_revision() is None
    for command in (
        "init -q",
        "-c user.name=a -c user.email=a@b.c commit -q --allow-empty -m first",
    ):
        subprocess.run(["git", *command.split()], check=True)
    revision = git_revision()
    assert re.fullmatch("[0-9a-f]{40}", revision)
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    hook.chmod(0o755)
    for key in ("core.fsmonitor", "filter.any.clean", "filter.any.smudge"):
        subprocess.run(["git", "config", key, str(hook)], check=True)
    (tmp_path / ".gitattributes").write_text("* filter=any")
    assert git_revision() == revision
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_two_devices_train_the_same_run(config, prepared, trained, tmp_path):
    one, _ = trained
    two = train(config, prepared, tmp_path / "run", strategy=two_devices())
    histories = []
    for run in (one, two):
        with run.history_file.open() as file:
            histories.append(list(csv.DictReader(file)))
    for first, second in zip(*histories, strict=True):
        assert set(first) == set(second)
        for name, value in first.items():
            assert float(second[name]) == pytest.approx(float(value), abs=1e-4), name
    found = weights_of(two)
    for name, values in weights_of(one).items():
        np.testing.assert_allclose(found[name], values, atol=1e-3, err_msg=name)


def test_metrics_are_those_of_the_best_epoch(trained):
    run, metrics = trained
    with run.history_file.open() as file:
        scores = [float(row["val_mean_auc"]) for row in csv.DictReader(file)]
    found = list(metrics["validation"]["auc"].values())
    assert np.mean(found) == pytest.approx(max(scores), abs=1e-5)


def test_metrics_equal_those_of_scikit_learn(config, prepared, trained):
    run, metrics = trained
    experiment = Experiment.open(config, prepared)
    network = experiment.load_network(run.find_best())
    labels, logits = [], []
    for features, y, *_ in experiment.read("test"):
        labels.append(y["is_click"].numpy())
        logits.append(network(features)["is_click"].numpy().ravel())
    exact = roc_auc_score(np.concatenate(labels), np.concatenate(logits))
    # Two rows with nearly equal logits may change places when they are not compiled.
    assert metrics["test"]["auc"]["is_click"] == pytest.approx(exact, abs=1e-5)


def test_training_learns(trained):
    _, metrics = trained
    low, _ = metrics["test"]["auc_interval"]["is_click"]
    assert low > 0.5
    assert metrics["test"]["auc"]["is_click"] > 0.57


def test_the_best_checkpoint_is_what_was_trained(config, prepared, trained):
    """Every weight comes from the checkpoint, none from the initialisation."""
    run, _ = trained
    experiment = Experiment.open(config, prepared)
    first, second = (experiment.load_network(run.find_best()) for _ in range(2))
    pairs = zip(first.get_weights(), second.get_weights(), strict=True)
    for first, second in pairs:
        np.testing.assert_array_equal(first, second)


def test_a_finished_run_is_not_trained_again(config, prepared, trained):
    run, _ = trained
    before = run.history_file.read_bytes()
    train(config, prepared, run.folder)
    assert run.history_file.read_bytes() == before
    assert run.metrics_file.is_file()


@pytest.mark.slow
def test_training_stops_when_the_best_epoch_is_long_past(
    small_config, prepared, tmp_path
):
    config = small_config(
        training__framework=FRAMEWORK,
        training__epochs=30,
        training__patience=1,
        training__learning_rate=0.05,
        model__architecture=QUICK,
    )
    run = train(config, prepared, tmp_path / "run")
    with run.history_file.open() as file:
        scores = [float(row["val_mean_auc"]) for row in csv.DictReader(file)]
    assert len(scores) < 30
    assert int(np.argmax(scores)) == len(scores) - 2


@pytest.mark.slow
def test_the_seed_decides_the_run(small_config, prepared, trained, tmp_path):
    """That the same seed gives the same run, the tests of interrupted runs show."""
    first = weights_of(trained[0])
    config = small_config(
        training__framework=FRAMEWORK, training__seed=1, model__architecture=QUICK
    )
    other = weights_of(train(config, prepared, tmp_path / "other"))
    kernels = [name for name in first if first[name].ndim == 2]
    assert kernels
    assert not any(np.allclose(first[n], other[n], atol=1e-3) for n in kernels)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {
            "training__mixed_precision": "mixed_bfloat16",
            "training__steps_per_execution": 4,
            "training__optimizer": "lazy_adam",
        },
        {
            "training__jit_compile": True,
            "training__learning_rate_decay": "cosine",
            "training__clip_norm": 1.0,
        },
        {
            "training__loss_weighting": "gradnorm",
            "training__gradnorm_alpha": 0.5,
        },
        {"training__loss_weighting": "pcgrad"},
    ],
    ids=str,
)
def test_the_options_of_training_work(small_config, prepared, tmp_path, options):
    config = small_config(
        training__framework=FRAMEWORK,
        training__epochs=1,
        model__architecture=QUICK,
        **options,
    )
    found = evaluate_run(train(config, prepared, tmp_path / "run"), splits=["test"])
    assert 0.4 < found["test"]["auc"]["is_click"] < 1.0


def test_a_loss_weight_that_would_be_learnt_is_told_in_one_line(
    small_config, prepared, tmp_path
):
    config = small_config(
        training__framework=FRAMEWORK,
        training__loss_weighting="uncertainty",
        tasks__is_like__loss_weight=2.0,
    )
    message = r"`loss_weights` must be left out with `Uncertainty`.*'is_like': 2.0"
    with pytest.raises(HomeError, match=message):
        train(config, prepared, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_configuration_is_not_trained_over_a_run(
    small_config, prepared, trained
):
    run, _ = trained
    other = small_config(
        training__framework=FRAMEWORK,
        training__learning_rate=0.5,
        model__architecture=QUICK,
    )
    with pytest.raises(HomeError, match=r"contains a run with another configuration"):
        train(other, prepared, run.folder)


def test_a_run_of_the_other_keras_is_told_in_one_line(
    config, prepared, trained, tmp_path
):
    run = Run(tmp_path / "run")
    shutil.copytree(trained[0].folder, run.folder)
    assert run.load_state()["legacy_keras"] is IS_LEGACY
    run.save_state(legacy_keras=not IS_LEGACY)
    other, this = "Keras 3", "legacy Keras (tf_keras)"
    remedy = "Unset TF_USE_LEGACY_KERAS"
    if not IS_LEGACY:
        other, this, remedy = this, other, "Set TF_USE_LEGACY_KERAS=1"
    for command in (
        lambda: evaluate_run(run),
        lambda: export_run(run, tmp_path / "model"),
        lambda: train(config, prepared, run.folder),
    ):
        with pytest.raises(HomeError) as error:
            command()
        assert str(error.value) == (
            f"{run.folder}: was trained with {other}, but this is {this}. {remedy} "
            "before TensorFlow is imported"
        )


def test_a_checkpoint_of_other_data_is_not_gone_on_with(
    config, prepared, trained, tmp_path
):
    run = Run(tmp_path / "run")
    shutil.copytree(trained[0].folder, run.folder)
    other = tmp_path / "records"
    shutil.copytree(prepared, other)
    vocabulary = other / "vocabularies" / "user_active_degree.csv"
    vocabulary.write_text("value,count\nfull,3\n")
    with pytest.raises(HomeError, match=r"run: was trained on other data, which was"):
        train(config, other, run.folder)
    with pytest.raises(HomeError, match=r"run: was trained on other data, which was"):
        evaluate_run(run, data=other)


def test_a_folder_of_something_else_is_left_alone(config, prepared, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(HomeError, match=r"is not empty and does not contain a run"):
        train(config, prepared, tmp_path)
    assert [path.name for path in tmp_path.iterdir()].count("thesis.txt") == 1


def test_a_run_without_a_checkpoint_cannot_be_measured(tmp_path):
    with pytest.raises(HomeError, match=r"does not contain a run \(no config.yaml\)"):
        evaluate_run(Run(tmp_path))


@pytest.mark.skipif(IS_LEGACY, reason="legacy Keras is what TFRS needs")
def test_tfrs_under_keras_3_is_told_in_one_line(small_config, prepared, tmp_path):
    with pytest.raises(HomeError, match=r"set TF_USE_LEGACY_KERAS=1"):
        train(small_config(training__framework="tfrs"), prepared, tmp_path / "run")


def test_a_width_that_the_loras_do_not_divide_is_told_in_one_line(
    small_config, prepared, tmp_path
):
    config = small_config(
        training__framework=FRAMEWORK,
        model__architecture={"num_loras": 7, "lora_rank": "paper"},
    )
    with pytest.raises(HomeError, match=r"`num_loras` must divide the input width"):
        train(config, prepared, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_corrupt_record_is_named(config, prepared, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(prepared, broken)
    path = broken / "train-00001-of-00002.tfrecord"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(HomeError, match=r"train-00001-of-00002.tfrecord: record \d+"):
        train(config, broken, tmp_path / "run")


def test_a_truncated_record_file_is_named_before_training(config, prepared, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(prepared, broken)
    path = broken / "train-00000-of-00002.tfrecord"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(HomeError, match=r"train-00000-of-00002.tfrecord"):
        train(config, broken, tmp_path / "run")


def rewritten(prepared, folder, change):
    """A copy of a dataset directory whose training rows went through `change`."""
    data = DatasetDirectory(prepared)
    shutil.copytree(prepared, folder, ignore=shutil.ignore_patterns("*.tfrecord"))
    (folder / "schema.json").unlink()
    floats = [name for name, c in data.columns.items() if c.dtype == "float32"]
    with RecordWriter(folder, data.columns, nullable=floats, shards=2) as writer:
        for split in data.schema.splits:
            for batch in data.read(split, batch_size=2048):
                rows = {name: values.numpy() for name, values in batch.items()}
                writer.write(split, change(rows) if split == "train" else rows)
    return folder


@pytest.mark.slow
def test_a_feature_that_is_not_a_number_is_named(config, prepared, tmp_path):
    def change(rows):
        rows["video_impressions"][7] = np.nan
        return rows

    broken = rewritten(prepared, tmp_path / "broken", change)
    message = r"broken: column `video_impressions` of the features.* NaN"
    with pytest.raises(HomeError, match=message) as error:
        train(config, broken, tmp_path / "run")
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("label", "found"),
    [(np.nan, "has no label"), (0.0, r"has no positive label among [\d,]+ known ones")],
)
def test_a_task_with_nothing_to_learn_is_told_before_the_first_step(
    config, prepared, tmp_path, label, found
):
    def change(rows):
        rows["is_like"][:] = label
        return rows

    without = rewritten(prepared, tmp_path / "without", change)
    message = (
        rf"without: task `is_like` {found} in the training rows \(column 'is_like'"
    )
    with pytest.raises(HomeError, match=message):
        train(config, without, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("label", "shown"),
    [(5.0, "[-1] [5]"), pytest.param(-5.0, "[-5] [1]", marks=pytest.mark.slow)],
)
def test_a_label_that_is_none_is_named(config, prepared, tmp_path, label, shown):
    def change(rows):
        rows["is_like"][:3] = label, 1.0, np.nan
        return rows

    wrong = rewritten(prepared, tmp_path / "wrong", change)
    with pytest.raises(HomeError) as error:
        train(config, wrong, tmp_path / "run")
    message = str(error.value)
    assert "wrong: column `is_like`, task `is_like`: labels must be 0 or 1" in message
    assert shown in message
    assert "\n" not in message
