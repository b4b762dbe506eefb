"""Monitoring the experts and gates during training."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from home_tf.backend import IS_LEGACY, keras
from home_tf.diagnosis.figures import Figures
from home_tf.diagnosis.inspection import Inspector
from home_tf.errors import check_at_least
from home_tf.files import read_json_lines, write_text

# The figures that become curves.
_CURVES = {
    "experts": (
        "variance",
        "zeros",
        "dead_dimensions",
        "effective_rank",
        "similarity",
        "gradient_norm",
    ),
    "gates": (
        "effective_experts",
        "largest_weight",
        "unused_expert_fraction",
        "input_dependence",
    ),
    "tasks": ("task", "group", "shared"),
    "feature_gates": ("mean", "effect"),
}


class ExpertMonitor(keras.callbacks.Callback):
    """Measures the experts and gates on the same rows every few steps.

    The trained model must contain one of this package's architectures. Under a
    `tf.distribute` strategy it is measured between the steps, on one device. A model
    whose experts have become NaN or infinite is not measured.

    Args:
        inputs: The model's input: a held-out batch of a few hundred rows.
        labels: `{task: (rows,)}` of these rows, to measure also the gradient norms of
            the experts; see `inspect`.
        every: Steps between measurements. The model is also measured at the start and
            at the end.
        log_dir: The folder of curves and pictures for TensorBoard; by default none.
        images: Whether TensorBoard gets heat maps of the gates, which needs Matplotlib
            (`pip install "home-tf[report]"`).
        file: The file of the curves, a line of JSON for each measurement; by default
            none. Lines of steps after `first_step` are removed.
        first_step: Steps done before, by the training that is resumed.

    Attributes:
        history: A dict for each measurement: `step`, from 0, and the figures of
            `Figures.result`.

    Raises:
        HomeError: If `every` is less than 1; when training begins, if the model has no
            such architecture.

    Examples:
        >>> monitor = ExpertMonitor(features, every=200, log_dir="logs/experts")
        >>> model.fit(dataset, callbacks=[monitor])
        >>> [one["gates"]["click"]["largest_weight"] for one in monitor.history]
    """

    def __init__(
        self,
        inputs: Any,
        labels: Mapping[str, Any] | None = None,
        *,
        every: int = 200,
        log_dir: str | Path | None = None,
        images: bool = True,
        file: str | Path | None = None,
        first_step: int = 0,
    ) -> None:
        super().__init__()
        check_at_least("every", every, 1)
        self.inputs = inputs
        self.labels = labels
        self.every = every
        self.history: list[dict[str, Any]] = []
        self._log_dir, self._images = log_dir, images
        self._file = None if file is None else Path(file)
        self._writer: Any = None
        self._steps = self._first_step = first_step

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Measures the model before the first step."""
        self._inspector = Inspector(
            self.model, getattr(self.model, "task_losses", None)
        )
        if self._log_dir is not None:
            import tensorflow as tf

            self._writer = tf.summary.create_file_writer(str(self._log_dir))
        if not self.history:
            self._keep_earlier_lines()
            if not self._steps:
                self._measure()

    def _keep_earlier_lines(self) -> None:
        if self._file is None:
            return
        lines = read_json_lines(self._file) if self._file.is_file() else []
        kept = [one for one in lines if one["step"] <= self._first_step != 0]
        write_text(self._file, "".join(f"{json.dumps(one)}\n" for one in kept))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts an epoch."""
        self._steps_before = self._steps
        if self._takes_several:
            self._iterations_before = self._count_iterations()

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Measures the model when it is due."""
        before, self._steps = self._steps, self._steps_before + self._done(batch)
        if self._steps // self.every > before // self.every:
            self._measure()

    def _done(self, batch: int) -> int:
        """Steps of the epoch so far."""
        if self._takes_several:
            return self._count_iterations() - self._iterations_before
        return batch + 1

    @property
    def _takes_several(self) -> bool:
        # Keras 3 then passes the first of these steps, or one past the last, depending
        # on its version.
        return not IS_LEGACY and self.model.steps_per_execution > 1

    def _count_iterations(self) -> int:
        return int(np.array(self.model.optimizer.iterations.value))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Measures the model a last time, and closes the curves."""
        if not self.history or self.history[-1]["step"] < self._steps:
            self._measure()
        if self._writer is not None:
            self._writer.close()

    def _measure(self) -> None:
        inspection = self._inspector.read(self.inputs, self.labels)
        if not all(np.isfinite(x).all() for x in inspection.experts.values()):
            return  # the training has diverged, which is reported elsewhere
        figures = Figures()
        figures.add(inspection)
        found = {"step": self._steps, **figures.result()}
        self.history.append(found)
        curves = dict(curves_of(found))
        if self._file is not None:
            line = json.dumps({"step": self._steps, "values": curves})
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        if self._writer is not None:
            self._write_summaries(found, curves)

    def _write_summaries(
        self, found: Mapping[str, Any], curves: Mapping[str, float]
    ) -> None:
        import tensorflow as tf

        with self._writer.as_default(step=self._steps):
            for name, value in curves.items():
                tf.summary.scalar(name, value)
            if self._images and found["gates"]:
                from home_tf.diagnosis.report.pictures import gate_pictures

                for name, picture in gate_pictures(found).items():
                    tf.summary.image(name, picture[None])


def curves_of(found: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The names and values of the curves, such as `gates/click/largest_weight`."""
    for kind, figures in _CURVES.items():
        for name, one in found[kind].items():
            for figure in figures:
                if one.get(figure) is not None:
                    yield f"{kind}/{name}/{figure}", one[figure]
