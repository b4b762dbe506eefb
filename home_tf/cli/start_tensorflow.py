"""Importing TensorFlow for a command."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from home_tf.extras import require_extra

_THREADS = "TF_NUM_INTRAOP_THREADS"
# On so few CPUs, running operations in parallel is faster than splitting each one:
# docs/benchmarks/performance.md.
_FEW_CPUS = 2


def start_tensorflow(framework: str | None = None) -> None:
    """Imports TensorFlow quietly, with the Keras that a framework needs.

    Must run before anything else imports TensorFlow or Keras. On two CPUs an operation
    gets one thread, unless the environment has TF_NUM_INTRAOP_THREADS.

    Args:
        framework: `tfrs` or `keras`; None if Keras is not needed.

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
    if _THREADS not in os.environ and _num_cpus() <= _FEW_CPUS:
        _set_threads(1)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def split_operations() -> None:
    """Gives an operation all threads again: an XLA cluster is a single operation.

    Must run before TensorFlow computes anything.
    """
    _set_threads(0)


def _set_threads(number: int) -> None:
    """Sets the number of threads per operation; 0 leaves it to TensorFlow."""
    import tensorflow as tf

    # Once TensorFlow has computed in this process, the setting is fixed.
    with suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(number)


def _num_cpus() -> int:
    """The number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # on macOS


@contextmanager
def _standard_error_closed() -> Iterator[None]:
    # TensorFlow's C++ code writes to the file descriptor before any log level applies.
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
