"""Checking an export in a process that has nothing but TensorFlow."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from home_tf.errors import HomeError
from home_tf.export.candidates import Candidates
from home_tf.export.requests import (
    Columns,
    Request,
    as_examples,
    by_id,
    of_one_request,
)
from home_tf.export.warmup import WARMUP_FILE, read_warmup

Answers = Mapping[str, npt.NDArray[Any]]
_CHECKED_CANDIDATES = 256
# Predictions that lie closer than this, relatively, are taken for the same.
_ROUNDING = 1e-6
_PROGRAM = Path(__file__).with_name("load_export.py")


def check_export(
    folder: str | Path,
    columns: Columns,
    expected: Answers,
    *,
    candidates: Candidates | None = None,
    tolerance: float = 1e-5,
    timeout: float = 300.0,
    python: str = sys.executable,
) -> float:
    """Loads a SavedModel in a bare process, as TF Serving does, and tries it.

    All warm-up requests are replayed. For the given rows `predict` is compared with the
    trained model, `serving_default` with `predict`, and `rank`, with the rows as
    candidates of the first row's request, with `predict` on copies of that request;
    `rank_by_id` is compared with `rank` on the columns of the same candidates.

    Args:
        folder: The SavedModel.
        columns: Inputs of its `predict` signature.
        expected: The trained model's probabilities `{task: (rows,)}` for them.
        candidates: Those that the export should hold, if it should.
        tolerance: The largest difference that passes.
        timeout: Seconds after which the process is given up.
        python: The Python interpreter to load it with, such as one with the TensorFlow
            version of the server.

    Returns:
        The largest difference between `predict` and the trained model: absolute, or
        relative where the expected value is above 1, as a score may be.

    Raises:
        HomeError: If the model does not load, answers anything but finite numbers,
            predicts the same for all rows, or differs by more than the tolerance.
    """
    folder = Path(folder)
    warmup = read_warmup(folder) if (folder / WARMUP_FILE).is_file() else []
    requests = [
        ("predict", columns),
        ("serving_default", {"examples": as_examples(columns)}),
        *_rank_and_copies(columns, warmup),
        *_by_id_and_rank(columns, candidates),
    ]
    answers = _ask(python, folder, [*requests, *warmup], timeout)
    for (signature, _), found in zip([*requests, *warmup], answers, strict=True):
        _check_finite(folder, signature, found)
    predicted, by_examples = answers[:2]
    difference = _compare(
        f"{folder}: `predict`", predicted, "the trained model", expected, tolerance
    )
    _check_varied(folder, predicted)
    _compare(
        f"{folder}: `serving_default`", by_examples, "`predict`", predicted, tolerance
    )
    pairs = answers[2 : len(requests)]
    for (signature, _), found, other in zip(
        requests[2::2], pairs[::2], pairs[1::2], strict=True
    ):
        same = "`predict`" if signature == "rank" else "`rank`"
        _compare(f"{folder}: `{signature}`", found, same, other, tolerance)
    return difference


def _rank_and_copies(columns: Columns, warmup: Sequence[Request]) -> list[Request]:
    """A request of `rank`, if the export has it, and the same rows for `predict`."""
    ranked = [inputs for signature, inputs in warmup if signature == "rank"]
    if not ranked:
        return []
    once = {name for name, values in ranked[-1].items() if len(values) == 1}
    first = of_one_request(columns, once)
    rows = max(map(len, first.values()))
    copies = {
        name: np.repeat(x, rows, axis=0) if name in once else x
        for name, x in first.items()
    }
    return [("rank", first), ("predict", copies)]


def _by_id_and_rank(columns: Columns, candidates: Candidates | None) -> list[Request]:
    """A request of `rank_by_id`, if there are candidates, and the same for `rank`."""
    if candidates is None:
        return []
    once = set(columns) - set(candidates.columns)
    named = by_id(columns, once, candidates, _CHECKED_CANDIDATES)
    whole = {**named, **candidates.first(_CHECKED_CANDIDATES)}
    return [("rank_by_id", named), ("rank", whole)]


def _ask(
    python: str, folder: Path, requests: Sequence[Request], timeout: float
) -> list[Answers]:
    """What a process with only TensorFlow answers to the requests."""
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
            f"{folder}: the process that loads it was ended by {name}. If this machine "
            "is short of memory, free some"
        )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise HomeError(
            f"{folder}: does not load and answer in a process with only TensorFlow: "
            f"{lines[-1]}"
        )


def _check_finite(folder: Path, signature: str, found: Answers) -> None:
    for name, values in found.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise HomeError(
                f"{folder}: `{signature}` answers NaN or infinity for {name!r}"
            )


def _check_varied(folder: Path, predicted: Answers) -> None:
    for task, values in predicted.items():
        # Equal rows may be rounded otherwise, each by its place in the batch.
        if len(values) > 1 and np.ptp(values) <= _ROUNDING * np.abs(values).max():
            raise HomeError(
                f"{folder}: predicts {values[0]:.6g} for task {task!r}, whatever the "
                "inputs are"
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
    if not largest <= tolerance:  # NaN, where the trained model answers that
        raise HomeError(
            f"{where} differs from {other} by {largest:.1e}, more than {tolerance:.0e}"
        )
    return largest
