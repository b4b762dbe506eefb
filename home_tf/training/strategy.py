"""Choosing the `tf.distribute` strategy of `training.strategy`."""

import functools
import signal
import threading
from typing import Any

import tensorflow as tf

from home_tf.backend.replicas import OUT_OF_STEP
from home_tf.cluster import VARIABLE, Cluster
from home_tf.config import TrainingConfig
from home_tf.errors import HomeError

_TRY = "`home-tf launch --workers 2 -- train ...` tries it on one machine"


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Makes the strategy of a training; one of each kind per process.

    Args:
        name: `auto`, `mirrored`, `multi_worker` or `parameter_server`.

    Raises:
        HomeError: If the strategy does not fit the processes in `TF_CONFIG`, or the
            models would not train correctly under it.
    """
    if name == "parameter_server":
        raise HomeError(f"`training.strategy` {OUT_OF_STEP}")
    if name == "multi_worker":
        return _multi_worker(Cluster.from_environment())
    _check_alone(name, Cluster.from_environment())
    gpus = len(tf.config.list_logical_devices("GPU"))
    return default_strategy(gpus) if name == "auto" else _mirrored(gpus)


def check_strategy(strategy: tf.distribute.Strategy) -> tf.distribute.Strategy:
    """Returns a strategy, checked to train the models correctly.

    Raises:
        HomeError: If it does not.
    """
    if isinstance(strategy, tf.distribute.ParameterServerStrategy):
        raise HomeError(f"`strategy` {OUT_OF_STEP}")
    known = (
        tf.distribute.MirroredStrategy,
        tf.distribute.MultiWorkerMirroredStrategy,
        tf.distribute.OneDeviceStrategy,
    )
    if strategy.num_replicas_in_sync > 1 and not isinstance(strategy, known):
        raise HomeError(
            "`strategy` must be a MirroredStrategy or a MultiWorkerMirroredStrategy, "
            "under which training is tested to equal that of one process. Received: "
            f"{type(strategy).__name__}"
        )
    return strategy


def check_options(strategy: tf.distribute.Strategy, training: TrainingConfig) -> None:
    """Raises a `HomeError` for options that do not work with several replicas."""
    replicas = strategy.num_replicas_in_sync
    if training.jit_compile and replicas > 1:
        raise HomeError(
            "`training.jit_compile` must be false with several replicas: XLA compiles "
            f"no sums over replicas. Received: true with {replicas} replicas. Leave it "
            "out, or train with one device"
        )
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return
    if training.data_service is not None:
        raise HomeError(
            "`training.data_service` works with one process only (on one or several "
            "devices): several workers must read the rows in the same order, but a "
            f"service gives each another order. Received: {training.data_service}. "
            "Leave it out"
        )
    if training.steps_per_execution != 1:
        raise HomeError(
            "`training.steps_per_execution` must be 1 with several workers: TensorFlow "
            f"fails otherwise. Received: {training.steps_per_execution}. Leave it out"
        )


@functools.cache
def default_strategy(num_gpus: int) -> tf.distribute.Strategy:
    """The default strategy for a machine with the given number of GPUs."""
    return _mirrored(num_gpus) if num_gpus > 1 else tf.distribute.get_strategy()


@functools.cache
def _mirrored(num_gpus: int) -> tf.distribute.Strategy:
    # One per process: TensorFlow mixes up the collective operations of two.
    gpus = [f"GPU:{number}" for number in range(num_gpus)]
    return tf.distribute.MirroredStrategy(gpus or ["CPU:0"])


@functools.cache
def _multi_worker(cluster: Cluster) -> tf.distribute.Strategy:
    if cluster.workers < 2 or cluster.kind not in ("chief", "worker"):
        found = f"a process of kind {cluster.kind!r} among {cluster.workers} workers"
        raise HomeError(
            f"`training.strategy: multi_worker` needs `{VARIABLE}` with at least two "
            f"workers; each process is one of them. Received: {found}. {_TRY}"
        )
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        if "startup" not in str(error):
            raise
        raise HomeError(
            "`training.strategy: multi_worker` must start before TensorFlow computes "
            "anything in the process. Train first, or in a separate process"
        ) from None
    _end_on_sigterm()
    return strategy


def _end_on_sigterm() -> None:
    # TensorFlow treats the signal as a preemption notice and carries on. Reinstall the
    # handler that Python knows of.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


def _check_alone(name: str, cluster: Cluster) -> None:
    if cluster.workers > 1 or cluster.parameter_servers:
        raise HomeError(
            f"`training.strategy: {name}` trains in one process, but `{VARIABLE}` "
            f"names {cluster.workers} workers and {cluster.parameter_servers} "
            "parameter servers. Set `training.strategy: multi_worker`, or unset "
            f"`{VARIABLE}`"
        )


def distribute(model: Any, make_dataset: Any) -> Any:
    """Distributes the training dataset: one per replica if there are several.

    Args:
        model: A compiled ranking model.
        make_dataset: Makes a dataset from a `tf.distribute.InputContext`, or from None
            if there is one replica.
    """
    strategy = model.distribute_strategy
    if strategy.num_replicas_in_sync == 1:
        return make_dataset(None)
    return strategy.distribute_datasets_from_function(make_dataset)
