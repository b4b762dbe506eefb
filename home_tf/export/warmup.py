"""Warm-up requests that TF Serving replays before it serves a version."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from home_tf.errors import HomeError
from home_tf.export.requests import Request
from home_tf.extras import extra
from home_tf.files import AnyPath, PathLike, as_path

# Where TF Serving looks for them in a SavedModel.
WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")


def write_warmup(folder: Path, name: str, requests: Sequence[Request]) -> None:
    """Writes warm-up requests into a SavedModel, and reads them back.

    Args:
        folder: The SavedModel.
        name: The model's name, for the requests.
        requests: `(signature, inputs)` pairs, from real rows.

    Raises:
        HomeError: If a request does not come back as it was.
    """
    # Imported here because it takes a second, and training does not need it.
    with extra("serving"):
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    file = folder / WARMUP_FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature, inputs in requests:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            for key, values in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(values))
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString())
    found = read_warmup(folder)
    for (signature, inputs), (read_signature, read_inputs) in zip(
        requests, found, strict=True
    ):
        same = signature == read_signature and inputs.keys() == read_inputs.keys()
        if not same or not all(
            _are_equal(values, read_inputs[key]) for key, values in inputs.items()
        ):
            raise HomeError(
                f"{file}: a request for {signature!r} is different when it is read back"
            )


def _are_equal(values: Any, read: Any) -> bool:
    """Whether arrays are equal; NaN, a missing number, equals itself."""
    is_float = np.asarray(values).dtype.kind == "f"
    return np.array_equal(values, read, equal_nan=is_float)


def read_warmup(folder: AnyPath) -> list[Request]:
    """Reads the warm-up requests of a SavedModel.

    Args:
        folder: The SavedModel.

    Returns:
        `(signature, inputs)` pairs.
    """
    with extra("serving"):
        from tensorflow_serving.apis import prediction_log_pb2

    requests: list[Request] = []
    for record in tf.data.TFRecordDataset(str(folder / WARMUP_FILE)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        requests.append((request.model_spec.signature_name, inputs))
    return requests


def example_request(folder: PathLike, signature: str) -> Mapping[str, Any]:
    """Returns the largest warm-up request of a signature: real inputs for a server.

    Args:
        folder: The SavedModel, a version's folder.
        signature: `predict`, `rank` or `serving_default`.

    Returns:
        `{input: array}`.

    Raises:
        HomeError: If the SavedModel has no such request.
    """
    path = as_path(folder)
    file = path / WARMUP_FILE
    found = read_warmup(path) if file.is_file() else []
    requests = [inputs for name, inputs in found if name == signature]
    if not requests:
        raise HomeError(
            f"{folder}: has no warm-up request for the signature {signature!r}. Name "
            "an export of `home-tf export`"
            + (", with `serving.request_features`" if signature == "rank" else "")
        )
    return requests[-1]
