"""Loads an export and queries it, in a process with only TensorFlow.

A separate program that `check_export` runs by its path. Loading an export must not
need this package, so importing it is refused. Arguments: the SavedModel, a file with
the requests to read, and a file to write the answers to.
"""

import sys
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.core.framework import tensor_pb2

_REFUSED = ("home_tf", "tf_keras", "tensorflow_recommenders")


class RefusingFinder:
    """Refuses to import packages that an export must load without."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Raises an `ImportError` for a refused package, and finds no others."""
        if name.split(".")[0] in _REFUSED:
            raise ImportError(
                f"{name} must not be imported: the SavedModel must load without it"
            )


def ask(folder: str, requests: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    """Answers requests like TF Serving, by the signatures' tensor names.

    Args:
        folder: The SavedModel.
        requests: `{(number, signature): inputs}`.

    Returns:
        `{number/output: values}`.
    """
    answers = {}
    with tf.Session(graph=tf.Graph()) as session:
        signatures = tf.saved_model.load(session, ["serve"], folder).signature_def
        for (number, name), inputs in requests.items():
            signature = signatures[name]
            fed = {signature.inputs[key].name: values for key, values in inputs.items()}
            outputs = {key: info.name for key, info in signature.outputs.items()}
            for key, values in session.run(outputs, fed).items():
                values = values.astype("S") if values.dtype == object else values
                answers[f"{number}/{key}"] = values
    return answers


def read_requests(file: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Reads requests: arrays `number/signature/input` with the bytes of a TensorProto.

    NumPy's files cannot hold bytes of variable length.
    """
    requests: dict[tuple[str, str], dict[str, Any]] = {}
    with np.load(file, allow_pickle=False) as tensors:
        for key in tensors.files:
            number, signature, name = key.split("/", 2)
            proto = tensor_pb2.TensorProto.FromString(tensors[key].tobytes())
            inputs = requests.setdefault((number, signature), {})
            inputs[name] = tf.make_ndarray(proto)
    return requests


if __name__ == "__main__":
    sys.meta_path.insert(0, RefusingFinder())
    np.savez(sys.argv[3], **ask(sys.argv[1], read_requests(sys.argv[2])))
