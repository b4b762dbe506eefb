"""`home-tf launch -- train`: several processes train one run, and end together."""

import csv
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from support.checkpoints import last_checkpoint, variables_of
from support.processes import children_of, is_running, wait_until
from support.workers import run_workers

from home_tf.backend import IS_LEGACY
from home_tf.run import Run
from home_tf.training import train

FRAMEWORK = "tfrs" if IS_LEGACY else "keras"
QUICK = {"type": "shared_bottom", "expert": {"units": [8]}}
ROOT = Path(__file__).parents[2]
# How processes end has nothing to do with Keras: once is enough.
once = pytest.mark.skipif(IS_LEGACY, reason="tested under Keras 3")


@pytest.fixture(scope="module")
def config(small_config):
    return small_config(
        training__framework=FRAMEWORK,
        training__monitor_experts=10,
        training__reset_embeddings=True,
        model__architecture=QUICK,
    )


@pytest.fixture
def config_file(config, tmp_path):
    from home_tf.config import dump_config

    dump_config(config, tmp_path / "config.yaml")
    return tmp_path / "config.yaml"


def launch(*arguments, workers=2):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "home_tf", "launch", f"--workers={workers}"),
            *("--", *map(str, arguments)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**environment, "COLUMNS": "80", "NO_COLOR": "1"},
    )


def training(config_file, prepared, out, *options):
    return (
        *("train", "--config", config_file, "--data", prepared, "--out", out),
        *("--strategy", "multi_worker", *options),
    )


def finish(process, timeout=150):
    try:
        output, errors = process.communicate(timeout=timeout)
    finally:
        process.kill()
    return process.returncode, output, errors


def read_history(run):
    with run.history_file.open() as file:
        return list(csv.DictReader(file))


def weights_of(run):
    return variables_of(last_checkpoint(run), "network", "optimizer", "progress")


@pytest.mark.slow
def test_two_workers_train_and_resume_as_one_process_does(
    config, config_file, prepared, tmp_path
):
    one = train(config, prepared, tmp_path / "one")
    run = type(one)(tmp_path / "two")
    for epochs in ("1", "2"):
        code, output, errors = finish(
            launch(*training(config_file, prepared, run.folder, "--epochs", epochs))
        )
        assert code == 0, output + errors
        assert f"epoch {epochs}/{epochs}" in output
        assert output.count("wrote") == 1
    assert {path.name for path in run.folder.iterdir()} == {
        path.name for path in one.folder.iterdir()
    }
    assert run.load_config().training.strategy == "multi_worker"
    for found, expected in zip(read_history(run), read_history(one), strict=True):
        assert set(found) == set(expected)
        for name, value in expected.items():
            assert float(found[name]) == pytest.approx(float(value), abs=1e-4), name
    found, expected = weights_of(run), weights_of(one)
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-3, err_msg=name)


AGREEMENT = """
import tensorflow as tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()
from home_tf.errors import HomeError
from home_tf.training.workers import Workers

index, workers = strategy.cluster_resolver.task_id, Workers(strategy)
print(workers.is_chief, workers.share([index + 0.5, float("nan")]))
workers.check_same("the data", "equal")
try:
    workers.check_same("the data", str(index))
except HomeError as error:
    print(error)
workers.share([0.0])
"""


@pytest.mark.slow
@once
def test_the_processes_go_by_the_chief_and_refuse_to_differ(tmp_path):
    done = run_workers("-c", AGREEMENT, cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert [code for code, _ in done] == [0, 0], done
    for index, (_, output) in enumerate(done):
        assert f"{index == 0} [0.5, nan]" in output
        assert "the data must be the same in all processes of a training." in output


@once
def test_only_training_is_launched():
    process = launch("evaluate", "--run", "runs/0")
    code, output, errors = finish(process)
    assert (code, output) == (2, "")
    (line,) = errors.splitlines()
    assert "Received: 'evaluate'. Write `home-tf launch -- train ...`" in line


@pytest.mark.slow
@once
def test_what_the_chief_says_is_said_once(config_file, prepared, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").touch()
    code, output, errors = finish(
        launch(*training(config_file, prepared, tmp_path / "full"))
    )
    assert (code, output) == (2, "")
    (line,) = errors.splitlines()
    assert "is not empty and does not contain a run" in line


@contextmanager
def endless_training(config_file, prepared, out):
    """A launched training after its first epoch, and its processes' identifiers."""
    process = launch(*training(config_file, prepared, out, "--epochs", "100000"))
    workers = []
    try:
        wait_until(lambda: len(children_of(process)) == 2)
        workers = children_of(process)
        wait_until(lambda: any(out.glob("checkpoints/step-*")))
        yield process, workers
    finally:
        process.kill()
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
@once
@pytest.mark.parametrize("whom", ["the launcher", "a worker"])
def test_an_interruption_saves_and_ends_all(config_file, prepared, tmp_path, whom):
    run = tmp_path / "run"
    with endless_training(config_file, prepared, run) as (process, workers):
        if whom == "the launcher":
            process.send_signal(signal.SIGINT)
        else:  # as of a machine that will go: TensorFlow alone would go on
            os.kill(workers[1], signal.SIGTERM)
        code, _, errors = finish(process, 60)
        assert code == (130 if whom == "the launcher" else 143), errors
        assert not any(map(is_running, workers))
    found = re.search(
        r"has the training up to step (\d+) of (\d+) in epoch (\d+)", errors
    )
    step, per_epoch, epoch = map(int, found.groups())
    assert last_checkpoint(Run(run)).name == f"step-{(epoch - 1) * per_epoch + step}"
    assert "Run the same command again to resume" in errors


@pytest.mark.slow
@once
def test_a_dead_worker_ends_all(config_file, prepared, tmp_path):
    with endless_training(config_file, prepared, tmp_path / "run") as (
        process,
        workers,
    ):
        os.kill(workers[1], signal.SIGKILL)
        code, _, errors = finish(process, 60)
        assert code == 2
        assert (
            "process 1 of 2 (counted from 0) failed, so the others were stopped"
            in errors
        )
        assert "it was ended by SIGKILL" in errors
        assert not any(map(is_running, workers))


@once
@pytest.mark.slow
def test_the_processes_do_not_outlive_a_killed_launcher(
    config_file, prepared, tmp_path
):
    with endless_training(config_file, prepared, tmp_path / "run") as (
        process,
        workers,
    ):
        process.kill()
        process.communicate()
        wait_until(lambda: not any(map(is_running, workers)), 20)
