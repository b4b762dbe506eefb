"""Exports go from one supported TensorFlow to the other, and predict the same."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from support.serving_inputs import serving_inputs

from home_tf.export import Requests, check_export

OTHER = os.environ.get("HOME_TF_OTHER_ENVIRONMENT")
pytestmark = pytest.mark.skipif(
    OTHER is None,
    reason="HOME_TF_OTHER_ENVIRONMENT names no environment; tests/run names one",
)


@pytest.fixture(scope="module")
def other():
    """The folder of programs of an environment with another TensorFlow."""
    folder = Path(OTHER)
    (found,) = folder.glob("lib/python*/site-packages/tensorflow-[0-9]*.dist-info")
    assert found.stem.split("-")[1] != tf.__version__
    return folder / "bin"


@pytest.mark.slow
def test_the_other_tensorflow_loads_this_export(trained, other):
    _, version, batch, expected = trained
    signature = tf.saved_model.load(str(version)).signatures["predict"]
    names = signature.structured_input_signature[1]
    columns = {k: x.numpy() for k, x in serving_inputs(batch, names).items()}
    answers = {task: x.numpy() for task, x in signature(**columns).items()}
    for task, values in expected.items():
        np.testing.assert_allclose(answers[task], values, atol=1e-6)
    python = str(other / "python")
    requests = Requests(columns, answers)
    assert check_export(version, requests, python=python) <= 1e-5


@pytest.mark.slow
def test_this_tensorflow_loads_the_other_export(trained, other, tmp_path):
    run, _, batch, expected = trained
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        [other / "home-tf", "export", "--run", run.folder, "--out", tmp_path / "model"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    signature = tf.saved_model.load(str(tmp_path / "model" / "1")).signatures["predict"]
    names = signature.structured_input_signature[1]
    found = signature(**serving_inputs(batch, names))
    for task, values in expected.items():
        np.testing.assert_allclose(found[task], values, atol=1e-5)
