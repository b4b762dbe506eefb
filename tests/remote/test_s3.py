"""From logs to an export, all at an S3 server of this machine that is not well."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from support.commands import commands_here

pytest.importorskip("tensorflow_io", reason="tensorflow-io is not installed here")

SUPPORT = Path(__file__).parents[1] / "support"
FRAMEWORK = "tfrs" if os.environ.get("TF_USE_LEGACY_KERAS") == "1" else "keras"
BASE = "s3://bucket/base"


@pytest.fixture(scope="module")
def storage():
    from support.s3 import s3_server

    with s3_server() as server, pytest.MonkeyPatch.context() as patched:
        for name, value in server.variables.items():
            patched.setenv(name, value)
        yield server


@pytest.fixture(autouse=True)
def well(storage, monkeypatch):
    """Lets the server answer again after a test; no test waits for it."""
    from home_tf.files import tensorflow_files

    monkeypatch.setattr(tensorflow_files, "FIRST_PAUSE_SECONDS", 0.01)
    tensorflow_files._tried_again.clear()
    yield
    storage.fails = storage.hangs_up = lambda method, path: False


@pytest.fixture
def home_tf(monkeypatch, capfd):
    yield from commands_here(monkeypatch, capfd)


@pytest.fixture(scope="module")
def uploaded(storage, logs, write_config):
    """The logs and the configuration, at their URLs."""
    from home_tf.files import as_path

    config = write_config(
        replace={
            "expert: {units: [8]}, feature_gate: none, self_gate: none": (
                "type: shared_bottom, expert: {units: [4]}"
            ),
            "training:": f"training:\n  framework: {FRAMEWORK}\n  checkpoint_every: 5",
            "epochs: 2": "epochs: 1",
            "data:": "data:\n  folder: logs",
        }
    )
    base = as_path(BASE)
    for file in logs.iterdir():
        (base / "logs" / file.name).upload(file)
    (base / "config.yaml").upload(config)
    return base


class Sometimes:
    """Fails every so many requests.

    Records are read by TensorFlow itself, and tried again by its client of S3 alone.
    """

    def __init__(self, every, *, records=False):
        self.every, self.count, self.failed = every, 0, 0
        self._records = records
        self._lock = threading.Lock()

    def __call__(self, method, path):
        if ".tfrecord" in path and not self._records:
            return False
        with self._lock:
            self.count += 1
            fails = self.count % self.every == 0
            self.failed += fails
            return fails


def test_from_logs_to_an_export(storage, uploaded, home_tf):
    """Every tenth request is answered 503, and every 25th by a reset."""
    storage.fails, storage.hangs_up = Sometimes(10), Sometimes(25)
    config, records = f"{BASE}/config.yaml", f"{BASE}/records"
    done = home_tf("prepare", "--config", config, "--out", records, "--shards", "2")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"wrote {records}")
    again = r"\d+ requests? to s3://bucket (was|were) tried again"
    assert re.fullmatch(again, done.stderr.splitlines()[-1])

    # Killed two steps after a checkpoint, which is cut.
    storage.fails, storage.hangs_up = (
        Sometimes(10, records=True),
        Sometimes(25, records=True),
    )
    run = f"{BASE}/run"
    killed = subprocess.run(
        [sys.executable, SUPPORT / "killed_training.py", config, records, run, "12"],
        check=False,
        capture_output=True,
        timeout=300,
        env={**os.environ, "AWS_MAX_ATTEMPTS": "5"},
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    checkpoints = uploaded / "run" / "checkpoints"
    assert {path.name for path in checkpoints.iterdir()} == {"step-5", "step-10"}
    (checkpoints / "step-10" / "checkpoint").unlink()

    storage.fails, storage.hangs_up = Sometimes(10), Sometimes(25)
    train = ["train", "--config", config, "--data", records, "--out", run]
    done = home_tf(*train)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"wrote {run}"
    steps = {int(path.name[5:]) for path in checkpoints.glob("step-*")}
    assert len(steps) == 2
    assert min(steps) > 10
    assert (uploaded / "run" / "history.csv").read_text().count("\n") == 2
    assert not (uploaded / "run" / ".lock").exists()

    done = home_tf("evaluate", "--run", run, "--split", "test")
    assert done.stdout.splitlines()[-1] == f"wrote {run}/metrics.json"
    measured = json.loads((uploaded / "run" / "metrics.json").read_text())
    assert measured["test"]["auc"]["is_click"] > 0.5
    done = home_tf("export", "--run", run, "--out", f"{BASE}/model")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"wrote {BASE}/model/1"
    assert storage.fails.failed > 10


def test_versions_are_published_and_rolled_back(storage, uploaded, home_tf):
    from home_tf.export import Versions

    storage.fails, storage.hangs_up = Sometimes(10), Sometimes(25)
    model = f"{BASE}/versions"
    for number in (1, 2, 3):
        with Versions(model).publish(keep=2) as (_, aside):
            for name in ("saved_model.pb", "fingerprint.pb"):
                (aside / name).write_text(f"{number}")
    assert Versions(model).roll_back() == (3, 2)
    assert Versions(model).numbers() == [2]
    names = {path.name for path in (uploaded / "versions").iterdir()}
    assert names == {"2", ".3.withdrawn"}
    withdrawn = uploaded / "versions" / ".3.withdrawn"
    assert {path.read_text() for path in withdrawn.iterdir()} == {"3"}


def test_an_export_at_a_url_is_a_saved_model(storage, uploaded):
    import tensorflow as tf

    from home_tf.files import local_copy

    with local_copy(uploaded / "model" / "1") as version:
        loaded = tf.saved_model.load(str(version))
    assert {"predict", "serving_default"} <= set(loaded.signatures)


def test_reports_are_written(storage, uploaded, home_tf):
    pytest.importorskip("matplotlib")
    done = home_tf("describe", "--data", f"{BASE}/records", "--out", f"{BASE}/report")
    assert done.stdout.splitlines()[-1] == f"wrote {BASE}/report/report.html"
    done = home_tf("diagnose", "--run", f"{BASE}/run")
    assert done.stdout.splitlines()[-1] == f"wrote {BASE}/run/diagnosis/report.html"


def test_a_second_training_is_refused(storage, uploaded, home_tf):
    from home_tf.files import locked

    config, records, run = (f"{BASE}/{n}" for n in ("config.yaml", "records", "run"))
    with locked(uploaded / "run" / ".lock", "busy"):
        done = home_tf("train", "--config", config, "--data", records, "--out", run)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {run}: another training of this run is goin")
    assert f"or remove {run}/.lock" in done.stderr


@pytest.mark.parametrize("how", ["fails", "hangs_up"])
def test_a_storage_that_does_not_answer_is_told(storage, uploaded, home_tf, how):
    """It must not be taken for an empty one: a training would begin anew."""
    setattr(storage, how, lambda method, path: "run" in path)
    config, records, run = (f"{BASE}/{n}" for n in ("config.yaml", "records", "run"))
    done = home_tf("train", "--config", config, "--data", records, "--out", run)
    assert done.returncode == 2
    assert re.match(rf"error: {run}/\S+: the storage does not answer \(", done.stderr)


def test_what_is_not_there_or_not_allowed_is_told(storage, uploaded, home_tf):
    done = home_tf("evaluate", "--run", f"{BASE}/none")
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"error: {BASE}/none: does not contain a run (no config.yaml)."
    )
    done = home_tf("describe", "--data", "s3://none/records")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "s3://none/records" in done.stderr


def test_a_process_that_used_s3_ends_with_its_exit_code(storage, uploaded):
    program = (
        "import sys; from home_tf.files import as_path\n"
        f"print(as_path('{BASE}/config.yaml').is_file()); sys.exit(7)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (7, "True\n"), done.stderr


def test_few_requests_are_made_for_a_file(storage, uploaded):
    storage.requests.clear()
    (uploaded / "config.yaml").read_text()
    assert Counter(method for method, _ in storage.requests) == {"GET": 1}
