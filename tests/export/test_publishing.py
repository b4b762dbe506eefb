"""Publishing an export: only a version that was checked is seen, whatever happens."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from home_tf.backend import IS_LEGACY
from home_tf.errors import HomeError
from home_tf.export import ServingModel, Versions, export_run

FRAMEWORK = "tfrs" if IS_LEGACY else "keras"


KILLED = Path(__file__).parents[1] / "support" / "killed_export.py"


def names(folder):
    return {path.name for path in folder.iterdir()}


def saved(version):
    """The files of a SavedModel."""
    files = [version / "saved_model.pb", *(version / "variables").iterdir()]
    return {file.name: file.read_bytes() for file in files}


@pytest.mark.slow
def test_versions_count_up_and_only_the_last_are_kept(trained, tmp_path, checked_here):
    run, _, _, _ = trained
    for number in (3, 7, 20):
        (tmp_path / "model" / str(number)).mkdir(parents=True)
    (tmp_path / "model" / "notes").mkdir()
    assert export_run(run, tmp_path / "model", keep=2).name == "21"
    assert names(tmp_path / "model") == {"20", "21", "notes"}
    with pytest.raises(HomeError, match=r"`keep` must be at least 1. Received: 0"):
        export_run(run, tmp_path / "model", keep=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "versions"),
    [
        # Variables are written then, and the graph is not.
        ("tensorflow.python.lib.io.file_io:atomic_write_string_to_file", {"1"}),
        ("home_tf.export.export_run:check_export", {"1"}),
        ("home_tf.model_versions:Versions._keep", {"1", "2"}),
        ("home_tf.files.local:shutil", {"2"}),
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
        env={**os.environ, "FRAMEWORK": FRAMEWORK},
        check=False,
        timeout=300,
    )
    assert done.returncode == -signal.SIGKILL
    assert set(map(str, Versions(tmp_path / "model").numbers())) == versions
    assert ("1" in versions and "2" not in versions) == (
        tmp_path / "model" / ".2.partial" / "variables"
    ).is_dir()
    for number in versions:
        assert saved(tmp_path / "model" / number) == saved(version)


@pytest.fixture
def published(trained, tmp_path):
    """A model's folder with the version 1."""
    shutil.copytree(trained[1], tmp_path / "model" / "1")
    return tmp_path / "model"


@pytest.mark.slow
def test_a_failed_check_leaves_the_version_and_says_why(
    trained, published, checked_here, monkeypatch
):
    logits = ServingModel._logits

    def other_for_one_request(self, columns):
        one = columns["user_id"].shape[0] == 1
        return logits(self, columns) + (0.01 if one else 0.0)

    monkeypatch.setattr(ServingModel, "_logits", other_for_one_request)
    message = r"`rank` differs from `predict` by \d.\de-03, more than 1e-05"
    with pytest.raises(HomeError, match=message):
        export_run(trained[0], published)
    assert names(published) == {"1"}


@pytest.mark.slow
def test_what_cannot_be_written_is_told_in_one_line(trained, published):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Bytes of a file, which a full disk cuts short in the same way.
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(HomeError, match=r"\.2\.partial: cannot be written \(.*\)$"):
            export_run(trained[0], published)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(published) == {"1"}


def test_other_data_than_the_runs_is_refused(trained, prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "data")
    file = tmp_path / "data" / "statistics.json"
    content = json.loads(file.read_text())
    content["video_impressions"]["log1p_mean"] += 1.0  # the same shapes, other numbers
    file.write_text(json.dumps(content))
    with pytest.raises(HomeError, match=r"run: was trained on other data, which was"):
        export_run(trained[0], tmp_path / "model", data=tmp_path / "data")
