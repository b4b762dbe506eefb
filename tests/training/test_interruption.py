"""Trainings that are killed, interrupted or run out of space, and resumed."""

import csv
import os
import shutil
import signal

import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console
from support.checkpoints import last_checkpoint, steps_of, variables_of
from support.processes import run_python
from support.slow import slow_except
from support.strategies import two_devices
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from home_tf.backend import IS_LEGACY
from home_tf.config import dump_config, override_config
from home_tf.errors import HomeError, Interrupted
from home_tf.run import Run
from home_tf.training import Experiment, train
from home_tf.training.callbacks import Every, Milestones, Steps
from home_tf.training.interruption import Interruption

FRAMEWORK = "tfrs" if IS_LEGACY else "keras"
PARTS = ("network", "loss_weighting", "optimizer", "metrics", "random", "progress")


@pytest.fixture(scope="module")
def config(small_config):
    """Two epochs of 16 steps with all that has a state, validated within an epoch."""
    return small_config(
        training__framework=FRAMEWORK,
        training__optimizer="lazy_adam",
        training__loss_weighting="uncertainty",
        training__validate_every=10,
        training__checkpoint_every=4,
        model__dropout=0.2,
        model__architecture={"type": "mmoe", "expert": {"units": [4]}},
    )


@pytest.fixture(scope="module")
def whole(config, prepared, tmp_path_factory):
    """A training that nothing disturbed."""
    return train(config, prepared, tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture(scope="module")
def killed(config, prepared, tmp_path_factory):
    """A training that was killed by `kill -9` after step 13."""
    folder = tmp_path_factory.mktemp("killed")
    dump_config(config, folder / "config.yaml")
    here = os.path.dirname(__file__)
    done = run_python(
        os.path.join(here, "..", "support", "killed_training.py"),
        folder / "config.yaml",
        prepared,
        folder / "run",
        13,
        TF_USE_LEGACY_KERAS=str(int(IS_LEGACY)),
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return Run(folder / "run")


@pytest.fixture
def run(killed, tmp_path):
    """The killed training, which a test may resume."""
    shutil.copytree(killed.folder, tmp_path / "run")
    return Run(tmp_path / "run")


def rows_of(run):
    with run.history_file.open() as file:
        return list(csv.DictReader(file))


def assert_same_end(run, whole):
    """All that was trained, measured and counted is what it is without a fault."""
    for folder in (last_checkpoint, Run.find_best):
        expected, found = (variables_of(folder(one), *PARTS) for one in (whole, run))
        assert set(expected) == set(found)
        for name, values in expected.items():
            np.testing.assert_allclose(
                found[name], values, rtol=1e-4, atol=1e-5, err_msg=name
            )
    expected, found = rows_of(whole), rows_of(run)
    assert [row["step"] for row in found] == [row["step"] for row in expected]
    for one, other in zip(expected, found, strict=True):
        for name, value in one.items():
            assert float(other[name]) == pytest.approx(float(value), abs=1e-4), name


def test_a_validation_is_a_line_at_its_step(config, prepared, whole):
    per_epoch = Experiment.open(config, prepared).steps_per_epoch
    assert [(int(row["epoch"]), int(row["step"])) for row in rows_of(whole)] == [
        (0, 10),
        (0, per_epoch),
        (1, per_epoch + 10),
        (1, 2 * per_epoch),
    ]
    states = variables_of(last_checkpoint(whole), "random")
    assert len(states) == 1  # of the dropout


def test_tensorboard_shows_the_validations_at_their_steps(whole):
    for name, tag in (("train", "epoch_loss"), ("validation", "epoch_mean_auc")):
        curves = EventAccumulator(str(whole.folder / "logs" / name))
        curves.Reload()
        events = curves.Tensors(tag)
        column = {"train": "loss", "validation": "val_mean_auc"}[name]
        for event, row in zip(events, rows_of(whole), strict=True):
            assert event.step == int(row["step"])
            value = tf.make_ndarray(event.tensor_proto).item()
            assert value == pytest.approx(float(row[column]), rel=1e-6)


def test_a_killed_training_resumes_to_the_same_end(config, prepared, run, whole):
    assert steps_of(run) == [8, 12]
    assert [row["step"] for row in rows_of(run)] == ["10"]
    run.metrics_file.write_text("{}")
    train(config, prepared, run.folder)
    assert not run.metrics_file.exists()  # they were of a checkpoint that is gone
    assert_same_end(run, whole)


def stop_after(monkeypatch, step):
    """A patch by which trainings fail after a step."""
    usual = Milestones.on_train_batch_end

    def fail(self, batch, logs=None):
        usual(self, batch, logs)
        if self._checkpoints.step >= step:
            raise StoppedError

    monkeypatch.setattr(Milestones, "on_train_batch_end", fail)


class StoppedError(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["two replicas", "several steps at once"])
def test_it_does_so_in_other_ways_to_train(
    config, prepared, tmp_path, monkeypatch, kind
):
    several = kind == "several steps at once"
    options = {"strategy": None if several else two_devices()}
    config = override_config(
        config, {"training.steps_per_execution": 3 if several else 1}
    )
    whole = train(config, prepared, tmp_path / "whole", **options)
    with monkeypatch.context() as patch:
        stop_after(patch, 13)
        with pytest.raises(StoppedError):
            train(config, prepared, tmp_path / "run", **options)
    assert_same_end(train(config, prepared, tmp_path / "run", **options), whole)


@pytest.mark.slow
def test_a_checkpoint_cut_in_the_middle_is_left_for_the_one_before(
    config, prepared, run, whole, capsys
):
    (file,) = (run.checkpoints / "step-12").glob("*.data-*")
    os.truncate(file, file.stat().st_size // 2)
    train(config, prepared, run.folder, console=Console(width=80))
    first = capsys.readouterr().out.splitlines()[0]
    broken = run.checkpoints / "step-12"
    assert first == f"{broken}: cannot be read; resuming from step-8"
    assert_same_end(run, whole)


def test_without_a_checkpoint_that_can_be_read_nothing_is_lost_in_silence(
    config, prepared, run
):
    for file in run.checkpoints.glob("step-*/*.data-*"):
        os.truncate(file, 10)
    history = run.history_file.read_bytes()
    with pytest.raises(HomeError, match=r"step-12: the checkpoint cannot be read \("):
        train(config, prepared, run.folder)
    assert run.history_file.read_bytes() == history


@pytest.mark.slow
def test_a_full_disk_is_told_and_resumed_from(
    config, prepared, run, whole, limited_files
):
    with limited_files(2**14), pytest.raises(HomeError) as error:
        train(config, prepared, run.folder)
    assert ": the checkpoint cannot be written (" in str(error.value)
    assert str(error.value).endswith(
        "The previous one is kept: free some space, then run the same command again to "
        "resume"
    )
    assert steps_of(run) == [8, 12]
    train(config, prepared, run.folder)
    assert_same_end(run, whole)


@pytest.mark.parametrize(
    "number", slow_except([signal.SIGTERM], [signal.SIGINT, signal.SIGTERM])
)
def test_a_signal_is_held_back_until_the_step_is_saved(
    config, prepared, run, whole, monkeypatch, number
):
    def raise_interrupt(*_):
        raise KeyboardInterrupt

    usual = Milestones._validate

    def interrupt(self, steps):
        signal.raise_signal(number)
        usual(self, steps)

    before = signal.signal(signal.SIGTERM, raise_interrupt)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Milestones, "_validate", interrupt)
            with pytest.raises(Interrupted) as error:
                train(config, prepared, run.folder)
        assert signal.getsignal(signal.SIGTERM) is raise_interrupt
    finally:
        signal.signal(signal.SIGTERM, before)
    steps = Experiment.open(config, prepared).steps_per_epoch
    assert str(error.value) == (
        f"interrupted; {run.folder} has the training up to step {steps} of {steps} in "
        "epoch 1 of 2. Run the same command again to resume"
    )
    assert steps_of(run)[-1] == steps
    train(config, prepared, run.folder)
    assert_same_end(run, whole)


def test_a_second_signal_is_not_held_back():
    with Interruption() as interruption:
        interruption.hold_back()
        signal.raise_signal(signal.SIGINT)
        assert interruption.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_before_there_is_anything_to_save_is_not_held_back():
    with pytest.raises(KeyboardInterrupt), Interruption():
        signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
def test_validations_within_an_epoch_stop_a_training_early(
    config, prepared, tmp_path, monkeypatch
):
    scores = iter([0.6, 0.5, 0.4])
    monkeypatch.setattr(
        "home_tf.training.callbacks.Validation.measure",
        lambda self: {"val_mean_auc": next(scores)},
    )
    early = {"training.validate_every": 3, "training.patience": 2}
    early = override_config(config, early)
    run = train(early, prepared, tmp_path / "run")
    assert [row["step"] for row in rows_of(run)] == ["3", "6", "9"]
    assert (run.find_best() / "ckpt-3.index").is_file()
    assert steps_of(run) == [8, 9]  # the last one says that it has stopped
    train(early, prepared, run.folder)
    assert steps_of(run) == [8, 9]


@pytest.mark.slow
def test_the_last_checkpoints_and_the_best_are_kept(config, prepared, run):
    more = override_config(config, {"training.keep_checkpoints": 3})
    train(more, prepared, run.folder)
    names = {path.name for path in run.checkpoints.iterdir()}
    steps = 2 * Experiment.open(config, prepared).steps_per_epoch
    last = [step for step in range(0, steps, 4) if step > steps - 9]
    assert names == {"best", f"step-{steps}", *(f"step-{step}" for step in last[-2:])}


def test_a_run_whose_checkpoints_were_of_epochs_is_refused(config, prepared, run):
    (run.checkpoints / "step-12").rename(run.checkpoints / "latest")
    with pytest.raises(HomeError, match=r"latest: was written by an earlier version"):
        train(config, prepared, run.folder)


@pytest.mark.slow
def test_the_batches_of_a_resumed_training_are_those_it_would_have_seen(
    config, prepared
):
    experiment = Experiment.open(config, prepared)
    whole = [y["is_click"].numpy() for _, y, _ in experiment.read_training()]
    assert len(whole) == experiment.steps
    for step in (1, 9, experiment.steps_per_epoch, experiment.steps - 1):
        rest = [y["is_click"].numpy() for _, y, _ in experiment.read_training(step)]
        for one, other in zip(whole[step:], rest, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("before", "now", "due"),
    [
        (0, 4, False),
        (4, 5, True),
        (8, 12, True),  # 10 is among them
        (11, 12, False),
        (15, 17, True),  # the epoch ends
        (16, 20, True),  # and goes on
        (18, 21, False),
        (20, 23, True),  # 5 of the second epoch
    ],
)
def test_what_is_due_after_which_steps(before, now, due):
    steps = Steps(before=before, now=now, per_epoch=17)
    assert Every(steps=5).is_due(steps) is due
    assert Every().is_due(steps) is steps.end_epoch


def test_what_is_due_after_some_time(monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    every, steps = Every(minutes=2), Steps(before=1, now=2, per_epoch=17)
    now = 119.0
    assert not every.is_due(steps)
    now = 120.0
    assert every.is_due(steps)
    every.restart()
    assert not every.is_due(steps)
