"""Reporting a tf.data service that is unreachable, or ends during training."""

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import tensorflow as tf
from rich.console import Console

from home_tf.backend import keras
from home_tf.config import TrainingConfig
from home_tf.data.service_batches import has_lost_rows
from home_tf.data_service import find_own_address, wait_until_reachable
from home_tf.errors import HomeError

_KEY = "`training.data_service`"
_AGAIN = "Start it again, then run the same command again to resume"
# After waiting this long, a step checks whether the dispatcher can be reached.
_ASK_SECONDS = 10.0
# The time limit of a step: TensorFlow waits forever for a worker that has ended.
_STEP_SECONDS = 600.0
_POLL_SECONDS = 1.0
# What TensorFlow raises if a service ends, or was restarted meanwhile.
_GONE = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.NotFoundError,
    tf.errors.UnavailableError,
)


def check_service(address: str) -> None:
    """Raises a `HomeError` if there is no tf.data service at an address."""
    wait_until_reachable(_KEY, address)


@contextmanager
def watch_service(training: TrainingConfig) -> Iterator[Sequence[Any]]:
    """Yields the callbacks that watch the data service of a training, if it has one.

    TensorFlow tries for an hour to reach a dispatcher, and cannot be stopped meanwhile.
    So if a step waits for a dispatcher that is gone, the process ends with one line on
    standard error and exit code 2. It also ends if a step takes 10 minutes (times
    `steps_per_execution`), for example because a worker on another machine is gone.

    Raises:
        HomeError: If the service has lost rows, or was restarted meanwhile.
    """
    if training.data_service is None:
        yield []
        return
    limit = _STEP_SECONDS * training.steps_per_execution
    with _explain_loss(training.data_service):
        watch = ServiceWatch(training.data_service, limit)
        watch.start()
        try:
            yield [watch]
        finally:
            watch.stop()


@contextmanager
def _explain_loss(address: str) -> Iterator[None]:
    try:
        yield
    except _GONE as error:
        reason = " ".join(str(error.message).split())[:200]
        raise HomeError(f"{_KEY}: {address} has failed ({reason}). {_AGAIN}") from None
    except (tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError) as error:
        if not has_lost_rows(error):
            raise
        raise HomeError(
            f"{_KEY}: {address} has lost rows of the epoch, as happens when a worker "
            f"stops. {_AGAIN}"
        ) from None


class ServiceWatch(keras.callbacks.Callback):
    """Ends the process if a step waits for a data service that is gone.

    It must be the first callback, so that the work of others after a step is not
    watched.

    Args:
        address: The dispatcher's address.
        limit: Maximum number of seconds per step.
    """

    def __init__(self, address: str, limit: float) -> None:
        super().__init__()
        self._address = address
        self._limit = limit
        self._since: float | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Starts watching: what comes before the first step can also wait."""
        self._since = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Stops watching."""
        self._stopped.set()
        self._thread.join()

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Starts the clock of a step."""
        self._since = time.monotonic()

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Stops the clock."""
        self._since = None

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock again: releasing the dataset can also wait."""
        self._since = time.monotonic()

    def _watch(self) -> None:
        while not self._stopped.wait(_POLL_SECONDS):
            since = self._since
            if since is None or time.monotonic() - since < _ASK_SECONDS:
                continue
            problem = self._find_problem(time.monotonic() - since)
            if problem and self._since == since and not self._stopped.is_set():
                _end_process(f"{_KEY}: {problem}. {_AGAIN}")

    def _find_problem(self, seconds: float) -> str | None:
        if find_own_address(self._address) is None:
            return f"{self._address} has ended, or cannot be reached any more"
        if seconds > self._limit:
            return f"no batch from {self._address} for {seconds:.0f} seconds"
        return None


def _end_process(problem: str) -> NoReturn:
    Console(stderr=True).show_cursor()  # which a progress bar hides
    print(f"error: {problem}", file=sys.stderr, flush=True)
    os._exit(2)
