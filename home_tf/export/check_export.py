"""Checking an export in a process that has nothing but TensorFlow."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.errors import HomeError

TOLERANCE = 1e-5

# Runs without this package: it must not be needed, so its import is refused.
_SCRIPT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("home_tf", "tf_keras", "tensorflow_recommenders"):
            raise ImportError(name + " is refused: the SavedModel must load without it")
sys.meta_path.insert(0, Refuse())
import numpy as np
import tensorflow as tf
folder, inputs, outputs = sys.argv[1:]
signature = tf.saved_model.load(folder).signatures["predict"]
with np.load(inputs, allow_pickle=False) as columns:
    tensors = {name: tf.constant(columns[name]) for name in columns.files}
np.savez(outputs, **{name: t.numpy() for name, t in signature(**tensors).items()})
"""


def check_export(
    folder: str | Path,
    columns: Mapping[str, npt.NDArray[Any]],
    expected: Mapping[str, npt.NDArray[Any]],
    *,
    timeout: float = 300.0,
    python: str = sys.executable,
) -> float:
    """Loads a SavedModel in a bare process and compares what it predicts.

    Args:
        folder: The SavedModel.
        columns: Inputs of its `predict` signature.
        expected: The trained model's probabilities `{task: (rows,)}` for them.
        timeout: Seconds after which the process is given up.
        python: The Python interpreter to load it with, such as one with the TensorFlow
            version of the server.

    Returns:
        The largest absolute difference between the two predictions.

    Raises:
        HomeError: If the model does not load, predicts anything but finite numbers or
            the same for all rows, or differs by more than 1e-5.
    """
    with tempfile.TemporaryDirectory() as scratch:
        inputs, outputs = Path(scratch) / "inputs.npz", Path(scratch) / "outputs.npz"
        arrays: dict[str, Any] = {k: _without_objects(x) for k, x in columns.items()}
        np.savez(inputs, **arrays)
        _run(python, folder, inputs, outputs, timeout)
        with np.load(outputs, allow_pickle=False) as found:
            return _largest_difference(folder, dict(found), expected)


def _without_objects(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return values.astype("S") if values.dtype == object else values


def _run(
    python: str, folder: str | Path, inputs: Path, outputs: Path, timeout: float
) -> None:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("TF_USE_LEGACY_KERAS", None)
    command = [python, "-I", "-c", _SCRIPT]
    try:
        done = subprocess.run(
            [*command, str(folder), str(inputs), str(outputs)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise HomeError(
            f"{folder}: did not load and predict within {timeout:.0f} seconds"
        ) from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise HomeError(
            f"{folder}: does not load in a process with only TensorFlow: {lines[-1]}"
        )


def _largest_difference(
    folder: str | Path,
    found: Mapping[str, npt.NDArray[Any]],
    expected: Mapping[str, npt.NDArray[Any]],
) -> float:
    if set(found) != set(expected):
        raise HomeError(
            f"{folder}: its outputs are {sorted(found)}, not the tasks "
            f"{sorted(expected)}"
        )
    differences = [0.0]
    for task, values in expected.items():
        if not np.isfinite(found[task]).all():
            raise HomeError(f"{folder}: predicts NaN or infinity for task {task!r}")
        if len(found[task]) > 1 and np.ptp(found[task]) == 0.0:
            raise HomeError(
                f"{folder}: predicts {found[task][0]:.6g} for task {task!r}, whatever "
                "the inputs are"
            )
        differences.append(float(np.max(np.abs(found[task] - values), initial=0.0)))
    if max(differences) > TOLERANCE:
        raise HomeError(
            f"{folder}: differs from the trained model by {max(differences):.1e}, more "
            f"than {TOLERANCE:.0e}"
        )
    return max(differences)
