"""A run at a URL: trained, gone on with, refused, and measured as a local one."""

import csv

import pytest

from home_tf.backend import IS_LEGACY
from home_tf.config import override_config
from home_tf.errors import HomeError, RemoteFileError
from home_tf.files import RemotePath, as_path, atomic_directory, locked, remote_lock
from home_tf.run import Run
from home_tf.training import evaluate_run, train

FRAMEWORK = "tfrs" if IS_LEGACY else "keras"


@pytest.fixture(scope="module")
def config(small_config):
    return small_config(
        training__framework=FRAMEWORK,
        training__epochs=1,
        training__monitor_experts=10,
        model__architecture={"type": "shared_bottom", "expert": {"units": [4]}},
    )


@pytest.fixture(scope="module")
def records(prepared):
    """The records, at a URL."""
    url = as_path("ram://remote-run/records")
    with atomic_directory(url, marker="schema.json") as aside:
        for file in prepared.rglob("*"):
            if file.is_file():
                copy = aside / file.relative_to(prepared)
                copy.parent.mkdir(exist_ok=True)
                copy.write_bytes(file.read_bytes())
    return url


def lines_of(run):
    return list(csv.DictReader(run.history_file.read_text().splitlines()))


def names(folder):
    return {path.name for path in folder.iterdir()}


@pytest.mark.slow
def test_a_run_at_a_url_is_as_a_local_one(config, records, prepared, tmp_path):
    class Killed(BaseException):
        pass

    url = "ram://remote-run/run"
    more = override_config(config, {"training.epochs": 2})
    usual = RemotePath.upload
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(remote_lock, "SETTLE_SECONDS", 0.01)

        def die(self, file):
            if self.name == "checkpoint" and "step" in self.parent.name:
                raise Killed
            usual(self, file)

        patched.setattr(RemotePath, "upload", die)
        with pytest.raises(Killed):
            train(config, records, url)
        patched.setattr(RemotePath, "upload", usual)
        first = train(config, records, url)
        assert [line["epoch"] for line in lines_of(first)] == ["0"]
        run = train(more, records, url)
        assert names(run.folder) == {
            "config.yaml",
            "run.json",
            "checkpoints",
            "logs",
            "history.csv",
            "experts.jsonl",
        }
        with locked(run.folder / ".lock", "busy"):
            message = rf"^{url}: another training of this run is going on\..* remove "
            with pytest.raises(HomeError, match=rf"{message}{url}/\.lock$"):
                train(more, records, url)
    assert [line["epoch"] for line in lines_of(run)] == ["0", "1"]
    steps = [int(line["step"]) for line in lines_of(run)]
    assert names(run.checkpoints) == {"best", *(f"step-{step}" for step in steps)}

    expected = evaluate_run(train(more, prepared, tmp_path / "run"))
    found = evaluate_run(Run(as_path(url)))
    assert found["test"]["auc"] == pytest.approx(expected["test"]["auc"], abs=1e-5)
    assert run.metrics_file.is_file()


def test_a_storage_that_is_gone_is_no_broken_record(config, records, monkeypatch):
    import tensorflow as tf

    from home_tf.training import Experiment

    experiment = Experiment.open(config, str(records))
    with (
        pytest.raises(RemoteFileError, match=rf"^{records}: the storage does not answ"),
        experiment.explain_broken_records("train"),
    ):
        raise tf.errors.UnknownError(None, None, "curlCode: 7")
