"""Publishing an export: only a version that was checked is seen, whatever happens."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from support.serving_inputs import serving_inputs

from home_tf.backend import IS_LEGACY
from home_tf.data import RecordSchema
from home_tf.errors import HomeError
from home_tf.export import Requests, ServingModel, Versions, check_export, export_run
from home_tf.export.load_export import RefusingFinder

TASKS = ["long_view", "is_click", "is_like"]
FRAMEWORK = "tfrs" if IS_LEGACY else "keras"


KILLED = Path(__file__).parents[1] / "support" / "killed_export.py"


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_versions_count_up_and_nothing_else_is_left(trained, tmp_path):
    run, _, _, _ = trained
    (tmp_path / "model" / "7").mkdir(parents=True)
    (tmp_path / "model" / "notes").mkdir()
    assert export_run(run, tmp_path / "model").name == "8"
    assert names(tmp_path / "model") == {"7", "8", "notes"}


def test_only_the_last_versions_are_kept(trained, tmp_path):
    run, _, _, _ = trained
    for number in (3, 7, 20):
        (tmp_path / "model" / str(number)).mkdir(parents=True)
    assert export_run(run, tmp_path / "model", keep=2).name == "21"
    assert names(tmp_path / "model") == {"20", "21"}
    with pytest.raises(HomeError, match=r"`keep` must be at least 1. Received: 0"):
        export_run(run, tmp_path / "model", keep=0)


@pytest.mark.parametrize(
    ("function", "versions"),
    [
        # Variables are written then, and the graph is not.
        ("tensorflow.python.lib.io.file_io:atomic_write_string_to_file", {"1"}),
        ("home_tf.export.export_run:check_export", {"1"}),
        ("home_tf.export.versions:Versions._keep", {"1", "2"}),
        ("home_tf.files:shutil", {"2"}),
    ],
)
def test_an_export_killed_at_any_step_leaves_whole_versions(
    trained, tmp_path, function, versions
):
    run, version, _, _ = trained
    shutil.copytree(version, tmp_path / "model" / "1")
    done = subprocess.run(
        [sys.executable, KILLED, *function.split(":"), run.folder, "model"],
        cwd=tmp_path,
        env={**os.environ, "FRAMEWORK": "tfrs" if IS_LEGACY else "keras"},
        check=False,
        timeout=300,
    )
    assert done.returncode == -signal.SIGKILL
    assert set(map(str, Versions(tmp_path / "model").numbers())) == versions
    assert ("1" in versions and "2" not in versions) == (
        tmp_path / "model" / ".2.partial" / "variables"
    ).is_dir()
    for number in versions:
        tf.saved_model.load(str(tmp_path / "model" / number))


@pytest.fixture
def published(trained, tmp_path):
    """A model's folder with the version 1."""
    shutil.copytree(trained[1], tmp_path / "model" / "1")
    return tmp_path / "model"


def changed_logits(change):
    logits = ServingModel._logits

    def changed(self, columns):
        return change(logits(self, columns), columns)

    return changed


# What is saved, and what the check of it says.
BROKEN = {
    "other answers": (
        lambda logits, _: logits + 0.01,
        r"`predict` differs from the trained model by \d.\de-03, more than 1e-05",
    ),
    "NaN in a warm-up request": (
        lambda logits, _: tf.cond(
            tf.shape(logits)[0] < 10, lambda: logits * np.nan, lambda: logits
        ),
        r"`predict` answers NaN or infinity for '\w+'$",
    ),
    "other answers for one request": (
        lambda logits, columns: (
            logits + (0.01 if columns["user_id"].shape[0] == 1 else 0.0)
        ),
        r"`rank` differs from `predict` by \d.\de-03, more than 1e-05",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_failed_check_leaves_the_version_and_says_why(
    trained, published, monkeypatch, what
):
    change, message = BROKEN[what]
    monkeypatch.setattr(ServingModel, "_logits", changed_logits(change))
    with pytest.raises(HomeError, match=message):
        export_run(trained[0], published)
    assert names(published) == {"1"}


def test_examples_that_are_answered_otherwise_fail_the_check(
    trained, published, monkeypatch
):
    def other(self, examples):
        columns = tf.io.parse_example(examples, self._example_features)
        return self._logits(columns) + 0.01

    monkeypatch.setattr(ServingModel, "_logits_of_examples", other)
    with pytest.raises(HomeError, match="`serving_default` differs from `predict` by"):
        export_run(trained[0], published)
    assert names(published) == {"1"}


def test_what_cannot_be_written_is_told_in_one_line(trained, published):
    script = (
        "import resource, sys; from home_tf.__main__ import main\n"
        # Bytes of a file, which a full disk cuts short in the same way.
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "main()"
    )
    run = trained[0].folder
    done = subprocess.run(
        [sys.executable, "-c", script, "export", "--run", run, "--out", published],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 2, done.stderr
    (line,) = [x for x in done.stderr.splitlines() if x.startswith("error:")]
    assert ".2.partial: cannot be written (" in line
    assert "Traceback" not in done.stderr
    assert names(published) == {"1"}


def test_data_without_validation_rows_is_refused(trained, prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "data")
    (schema,) = (tmp_path / "data").glob("schema*.json")
    content = json.loads(schema.read_text())
    content["splits"]["validation"] = {"rows": 0, "files": []}
    schema.write_text(json.dumps(content))
    with pytest.raises(HomeError, match=r"data: no rows in the split 'validation'"):
        export_run(trained[0], tmp_path / "model", data=tmp_path / "data")


def test_the_check_tells_what_is_wrong(trained, tmp_path):
    _, version, batch, expected = trained
    schema = RecordSchema.load(Path(trained[0].data))
    names = list(
        tf.saved_model.load(str(version))
        .signatures["predict"]
        .structured_input_signature[1]
    )
    assert set(names) <= set(schema.columns)
    inputs = {k: v.numpy() for k, v in serving_inputs(batch, names).items()}
    product = expected["is_click"] * expected["is_like"] ** 0.5
    expected = {**expected, "score": product}
    with pytest.raises(HomeError, match=r"`predict` has the outputs \["):
        check_export(version, Requests(inputs, {"is_like": expected["is_like"]}))
    same = {name: np.repeat(values[:1], 4, axis=0) for name, values in inputs.items()}
    constant = {task: np.repeat(values[:1], 4) for task, values in expected.items()}
    with pytest.raises(HomeError, match=r"predicts 0\.\d+ for task .*whatever the"):
        check_export(version, Requests(same, constant))
    with pytest.raises(HomeError, match=r"does not load and answer in a process with"):
        check_export(tmp_path, Requests(inputs, expected))


def test_the_check_loads_an_export_without_this_package_or_legacy_keras():
    finder = RefusingFinder()
    for name in ("home_tf.layers", "tf_keras", "tensorflow_recommenders"):
        with pytest.raises(ImportError, match=f"{name} is refused: the SavedModel"):
            finder.find_spec(name)
    assert finder.find_spec("home_tf_other") is None


def test_the_check_tells_how_its_process_ended(trained, tmp_path):
    _, version, batch, expected = trained
    inputs = {k: v.numpy() for k, v in serving_inputs(batch, ["user_id"]).items()}
    requests = Requests(inputs, expected)
    with pytest.raises(HomeError, match=r"did not load and answer within 0.1 seconds"):
        check_export(version, requests, timeout=0.1)
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nkill -9 $$\n")
    python.chmod(0o755)
    with pytest.raises(HomeError, match=r"was ended by SIGKILL. If this machine is"):
        check_export(version, requests, python=str(python))
    with pytest.raises(HomeError, match=r"only TensorFlow: .*"):
        check_export(version, requests)  # columns are missing
