"""What the tables of bad inputs share: a small run, its data, and a command line."""

import shutil

import pytest
from support.commands import commands_here

from home_tf.backend import IS_LEGACY

FRAMEWORK = "tfrs" if IS_LEGACY else "keras"


@pytest.fixture(scope="session")
def config_file(write_config):
    """The small configuration, whose network is smaller still."""
    return write_config(
        replace={
            "expert: {units: [8]}, feature_gate: none, self_gate: none": (
                "type: shared_bottom, expert: {units: [4]}"
            ),
            "training:": f"training:\n  framework: {FRAMEWORK}",
            "epochs: 2": "epochs: 1",
        }
    )


@pytest.fixture(scope="session")
def trained(config_file, prepared, tmp_path_factory):
    """A run of one epoch, which no test changes."""
    from home_tf.config import load_config
    from home_tf.training import train

    folder = tmp_path_factory.mktemp("robust")
    return train(load_config(config_file), prepared, folder / "run")


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the run's folder, which a test may change."""
    return shutil.copytree(trained.folder, tmp_path / "run")


@pytest.fixture
def data(prepared, tmp_path):
    """A copy of the data, which a test may change."""
    return shutil.copytree(prepared, tmp_path / "data")


@pytest.fixture
def home_tf(monkeypatch, capfd):
    """Runs a command in this process, and returns its exit code and what it said."""
    yield from commands_here(monkeypatch, capfd)
