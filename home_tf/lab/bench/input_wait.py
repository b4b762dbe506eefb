"""Measuring how long `fit` waits for its input."""

import time
from typing import Any

import tensorflow as tf

from home_tf.backend import keras
from home_tf.types import KerasLayer, Tensor


def wait_shares(
    model: KerasLayer,
    dataset: tf.data.Dataset,
    *,
    epochs: int,
    steps_per_epoch: int | None = None,
) -> list[float]:
    """Measures the share of each epoch that `fit` spends waiting for input.

    Two times count as waiting: from the end of an epoch until its successor's first
    step, in which the pipeline may be started anew; and that of every request for a
    batch, by a clock that the pipeline reads right before and right after it gives the
    batch, in the thread that asks. So both Kerases are measured alike, and what the
    pipeline does in the background costs nothing until a step has to wait for it.

    Args:
        model: A compiled model. It is trained on one batch before, so that no epoch
            traces the step.
        dataset: The batches of all epochs; without `steps_per_epoch` those of one, of
            known cardinality, for which the pipeline is started at every epoch.
        epochs: Number of epochs, of one call of `fit`.
        steps_per_epoch: Number of steps of an epoch.

    Returns:
        A share in [0, 1] an epoch.
    """
    model.fit(dataset, steps_per_epoch=1, shuffle=False, verbose=0)
    waits = _Waits()
    model.fit(
        waits.timed(dataset),
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        callbacks=[waits],
        shuffle=False,
        verbose=0,
    )
    return waits.shares


class _Waits(keras.callbacks.Callback):
    """Adds up the waiting times of `fit`, epoch by epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.shares: list[float] = []
        self._epoch_start, self._waited = 0.0, 0.0

    def timed(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Wraps the dataset to time each request for a batch."""
        clock = tf.data.Dataset.counter().map(lambda _: tf.timestamp())

        def tell(before: Tensor, batch: Any, after: Tensor) -> Any:
            tf.numpy_function(self._add, [after - before], [])
            return batch

        # `zip` asks its datasets one after the other.
        timed = tf.data.Dataset.zip((clock, dataset, clock)).map(tell)
        options = tf.data.Options()
        # A buffer behind the clocks would hide from them when a batch is asked for.
        options.experimental_optimization.inject_prefetch = False
        return timed.with_options(options)

    def _add(self, seconds: float) -> None:
        self._waited += float(seconds)

    def _start_epoch(self) -> None:
        self._epoch_start, self._waited = time.perf_counter(), 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the clock of the first epoch."""
        self._start_epoch()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Counts the start of the pipeline."""
        if batch == 0:
            self._add(time.perf_counter() - self._epoch_start)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keeps the epoch's share and starts the clock of the next one."""
        took = time.perf_counter() - self._epoch_start
        self.shares.append(self._waited / took)
        self._start_epoch()
