"""The experts and gates while a model is trained."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from home_tf.backend import keras
from home_tf.diagnosis.figures import Figures
from home_tf.diagnosis.inspection import Inspector
from home_tf.errors import check_at_least

# What of the figures becomes a curve.
_CURVES = {
    "experts": ("variance", "zeros", "dead_dimensions", "effective_rank", "similarity"),
    "gates": ("effective_experts", "largest_weight", "dead_expert_fraction"),
    "tasks": ("task", "group", "shared"),
}


class ExpertMonitor(keras.callbacks.Callback):
    """Measures the experts and gates on the same rows, every so many steps.

    The model that is trained must have one of this package's architectures in it. Under
    a `tf.distribute` strategy it is measured between the steps, on one device.

    Args:
        inputs: What the model takes: a batch that is held out, some hundred rows.
        every: Steps from one measurement to the next. There is one more at the start.
        log_dir: Where curves for TensorBoard go; by default nowhere.

    Attributes:
        history: A dict for each measurement: `step`, from 0, and the figures of
            `Figures.result`.

    Raises:
        HomeError: If `every` is less than 1; when training begins, if the model has no
            such architecture.

    Example:
        >>> monitor = ExpertMonitor(features, every=200, log_dir="logs/experts")
        >>> model.fit(dataset, callbacks=[monitor])
        >>> [one["gates"]["click"]["largest_weight"] for one in monitor.history]
    """

    def __init__(
        self, inputs: Any, *, every: int = 200, log_dir: str | Path | None = None
    ) -> None:
        super().__init__()
        check_at_least("every", every, 1)
        self.inputs = inputs
        self.every = every
        self.history: list[dict[str, Any]] = []
        self._log_dir = log_dir
        self._writer: Any = None
        self._steps = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Measures the model before the first step."""
        self._inspector = Inspector(self.model)
        if self._log_dir is not None:
            import tensorflow as tf

            self._writer = tf.summary.create_file_writer(str(self._log_dir))
        if not self.history:
            self._measure()

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Measures the model where it is time."""
        self._steps += 1
        if self._steps % self.every == 0:
            self._measure()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes the curves."""
        if self._writer is not None:
            self._writer.close()

    def _measure(self) -> None:
        figures = Figures()
        figures.add(self._inspector.read(self.inputs))
        found = {"step": self._steps, **figures.result()}
        self.history.append(found)
        if self._writer is not None:
            import tensorflow as tf

            with self._writer.as_default(step=self._steps):
                for name, value in _curves(found):
                    tf.summary.scalar(name, value)


def _curves(found: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The names and values of the curves, such as `gates/click/largest_weight`."""
    for kind, figures in _CURVES.items():
        for name, one in found[kind].items():
            for figure in figures:
                if one.get(figure) is not None:
                    yield f"{kind}/{name}/{figure}", one[figure]
