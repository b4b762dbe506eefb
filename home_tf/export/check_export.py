"""Checking an export in a process with only TensorFlow."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from home_tf.errors import HomeError
from home_tf.export.requests import Request, Requests
from home_tf.export.warmup import WARMUP_FILE, read_warmup

Answers = Mapping[str, npt.NDArray[Any]]
# Predictions with a smaller relative difference count as equal.
_ROUNDING = 1e-6
_PROGRAM = Path(__file__).with_name("load_export.py")


def check_export(
    folder: str | Path,
    requests: Requests,
    *,
    tolerance: float = 1e-5,
    timeout: float = 300.0,
    python: str = sys.executable,
) -> float:
    """Loads a SavedModel in a bare process, like TF Serving, and tests it.

    All warm-up requests are replayed. For the given rows `predict` is compared with the
    trained model, `serving_default` with `predict`, and `rank`, with the rows as
    candidates of the first row's request, with `predict` on copies of that request;
    `rank_by_id` is compared with `rank` on the columns of the same candidates.

    Args:
        folder: The SavedModel.
        requests: Rows as requests for the signatures that it must have, and the answers
            of the trained model.
        tolerance: The largest accepted difference.
        timeout: Seconds after which the process is stopped.
        python: The Python interpreter to load it with, such as one with the server's
            TensorFlow version.

    Returns:
        The largest difference between `predict` and the trained model: absolute, or
        relative where the expected value is above 1, as a score may be.

    Raises:
        HomeError: If the model does not load, answers anything but finite numbers,
            predicts the same for all rows, or differs by more than the tolerance.
    """
    folder = Path(folder)
    warmup = read_warmup(folder) if (folder / WARMUP_FILE).is_file() else []
    pairs = requests.pairs
    asked = [requests.predict, *chain.from_iterable(pairs), *warmup]
    answers = _ask(python, folder, asked, timeout)
    for (signature, _), found in zip(asked, answers, strict=True):
        _check_finite(folder, signature, found)
    predicted, *rest = answers
    difference = _compare(
        f"{folder}: `predict`",
        predicted,
        "the trained model",
        requests.expected,
        tolerance,
    )
    _check_varied(folder, predicted)
    for ((first, _), (second, _)), found, other in zip(
        pairs, rest[::2], rest[1::2], strict=False
    ):
        _compare(f"{folder}: `{first}`", found, f"`{second}`", other, tolerance)
    return difference


def _ask(
    python: str, folder: Path, requests: Sequence[Request], timeout: float
) -> list[Answers]:
    """Gets the answers to the requests from a process with only TensorFlow."""
    tensors: dict[str, Any] = {
        f"{number}/{signature}/{name}": np.frombuffer(
            tf.make_tensor_proto(values).SerializeToString(), np.uint8
        )
        for number, (signature, inputs) in enumerate(requests)
        for name, values in inputs.items()
    }
    answers: list[dict[str, npt.NDArray[Any]]] = [{} for _ in requests]
    with tempfile.TemporaryDirectory() as scratch:
        inputs, outputs = Path(scratch) / "inputs.npz", Path(scratch) / "outputs.npz"
        np.savez(inputs, **tensors)
        _run(python, folder, inputs, outputs, timeout)
        with np.load(outputs, allow_pickle=False) as found:
            for key in found.files:
                number, name = key.split("/", 1)
                answers[int(number)][name] = found[key]
    return list(answers)


def _run(
    python: str, folder: Path, inputs: Path, outputs: Path, timeout: float
) -> None:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("TF_USE_LEGACY_KERAS", None)
    try:
        done = subprocess.run(
            [python, "-I", *map(str, (_PROGRAM, folder, inputs, outputs))],
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise HomeError(
            f"{folder}: did not load and answer within {timeout:g} seconds"
        ) from None
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise HomeError(
            f"{folder}: the process that loads it was killed by {name}. If this "
            "machine is short of memory, free some of it"
        )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise HomeError(
            f"{folder}: cannot be loaded and called in a process that has only "
            f"TensorFlow: {lines[-1]}"
        )


def _check_finite(folder: Path, signature: str, found: Answers) -> None:
    for name, values in found.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise HomeError(
                f"{folder}: `{signature}` returns NaN or infinity for {name!r}"
            )


def _check_varied(folder: Path, predicted: Answers) -> None:
    for task, values in predicted.items():
        # Equal rows may be rounded differently, depending on their place in the batch.
        if len(values) > 1 and np.ptp(values) <= _ROUNDING * np.abs(values).max():
            raise HomeError(
                f"{folder}: predicts {values[0]:.6g} for task {task!r}, whatever the "
                "input is"
            )


def _compare(
    where: str, found: Answers, other: str, expected: Answers, tolerance: float
) -> float:
    if set(found) != set(expected):
        raise HomeError(
            f"{where} has the outputs {sorted(found)}, and {other} {sorted(expected)}"
        )
    differences = [
        np.max(np.abs(found[name] - values) / np.maximum(1, np.abs(values)), initial=0)
        for name, values in expected.items()
    ]
    largest = float(np.max(differences))
    if not largest <= tolerance:  # NaN, if the trained model answers NaN
        raise HomeError(
            f"{where} differs from {other} by {largest:.1e}, more than {tolerance:.0e}"
        )
    return largest
