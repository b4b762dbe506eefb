"""Importing TensorFlow for a command."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from home_tf.extras import require_extra


def start_tensorflow(framework: str | None = None) -> None:
    """Imports TensorFlow with the Keras that a framework needs, without its chatter.

    Must run before anything else imports TensorFlow or Keras.

    Args:
        framework: `tfrs` or `keras`; None where no Keras is needed.

    Raises:
        HomeError: If the framework is not installed.
    """
    if framework == "tfrs":
        require_extra("tfrs", "tf_keras", "tensorflow_recommenders")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if framework is not None:
        os.environ["TF_USE_LEGACY_KERAS"] = "1" if framework == "tfrs" else "0"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _standard_error_closed():
        import tensorflow  # noqa: F401
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextmanager
def _standard_error_closed() -> Iterator[None]:
    # TensorFlow's C++ writes to the file descriptor before any log level is in force.
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
