"""The callbacks of `train`: validation, checkpoints, speed and progress."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from home_tf.backend import keras
from home_tf.backend.variables import named_optimizer_variables, named_variables
from home_tf.evaluation import auc, gauc, mean_of_defined
from home_tf.run import Run
from home_tf.training.best_epoch import BestEpoch
from home_tf.training.checkpoint import Checkpoint
from home_tf.training.experiment import Experiment
from home_tf.training.predictions import Predictor

WARM_UP_STEPS = 5


@contextmanager
def training_callbacks(
    run: Run,
    experiment: Experiment,
    checkpoints: "Checkpoints",
    console: Console | None = None,
) -> Iterator[Sequence[Any]]:
    """Lends the callbacks of a training, and saves its speed if it does not fail.

    Args:
        run: The run's folder.
        experiment: The experiment.
        checkpoints: The run's checkpoints, restored.
        console: Where progress is shown; by default nowhere.

    Yields:
        The callbacks, in their order: the later ones read what the earlier ones add to
        the logs.
    """
    training = experiment.config.training
    resumed = checkpoints.best_epoch.epochs_done > 0
    speed = Speed(training.batch_size)
    history = History(str(run.history_file), append=resumed)
    board = keras.callbacks.TensorBoard(str(run.folder / "logs"), write_graph=False)
    bar = ProgressBar(
        training.epochs,
        experiment.steps_per_epoch,
        speed,
        console or Console(quiet=True),
    )
    with closing(history), closing(bar):
        yield speed, Validation(experiment), checkpoints, history, board, bar
    if speed.examples_per_second is not None:
        run.save_state(examples_per_second=round(speed.examples_per_second, 1))


class Validation(keras.callbacks.Callback):
    """Adds exact validation metrics to the logs of an epoch.

    `val_<task>_auc`, `val_<task>_gauc`, and their means over the monitored tasks,
    `val_mean_auc` and `val_mean_gauc`, leaving out tasks for which they are undefined.

    Args:
        experiment: The experiment, whose validation rows are predicted.
    """

    def __init__(self, experiment: Experiment) -> None:
        super().__init__()
        self.experiment = experiment
        training = experiment.config.training
        self.monitor_tasks = training.monitor_tasks or tuple(experiment.config.tasks)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Prepares what every epoch uses again."""
        self._dataset = self.experiment.read("validation")
        self._predictor = Predictor(self.model.network)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measures the model."""
        logs = {} if logs is None else logs
        found = self._predictor.predict(self._dataset)
        aucs, gaucs = {}, {}
        for task, labels in found.labels.items():
            aucs[task] = auc(labels, found.probabilities[task])
            gaucs[task] = gauc(labels, found.probabilities[task], found.groups)
            logs[f"val_{task}_auc"] = aucs[task]
            logs[f"val_{task}_gauc"] = gaucs[task]
        for name, values in (("auc", aucs), ("gauc", gaucs)):
            mean = mean_of_defined([values[task] for task in self.monitor_tasks])
            logs[f"val_mean_{name}"] = float(np.nan_to_num(mean))


class Checkpoints(keras.callbacks.Callback):
    """Keeps the latest and the best checkpoint, and stops when the best is long past.

    All that a resumed training needs is in the checkpoint: weights, those of the loss
    weighting among them, optimiser, the number of epochs done, the best epoch and its
    score.

    Args:
        run: The run's folder.
        model: The compiled model.
        patience: Epochs without a better `val_mean_auc` before training stops.
    """

    def __init__(self, run: Run, model: Any, patience: int) -> None:
        super().__init__()
        self.best_epoch = BestEpoch(patience)
        self._latest = run.checkpoints / "latest"
        self._best = run.checkpoints / "best"
        self._progress = {
            "epochs_done": tf.Variable(0, dtype=tf.int64),
            "best_epoch": tf.Variable(0, dtype=tf.int64),
            "best_score": tf.Variable(-np.inf, dtype=tf.float64),
        }
        self._checkpoint = Checkpoint(
            network=named_variables(model.network),
            loss_weighting=named_variables(model.loss_weighting),
            optimizer=named_optimizer_variables(model),
            progress=self._progress,
        )

    def restore(self) -> int:
        """Restores the latest checkpoint; returns the number of epochs done."""
        if self._checkpoint.restore(self._latest):
            progress = self._progress
            self.best_epoch.epochs_done = int(progress["epochs_done"])
            self.best_epoch.epoch = int(progress["best_epoch"])
            self.best_epoch.score = float(progress["best_score"])
        return self.best_epoch.epochs_done

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves the model."""
        best = self.best_epoch
        better = best.add((logs or {})["val_mean_auc"])
        self._progress["epochs_done"].assign(best.epochs_done)
        self._progress["best_epoch"].assign(best.epoch)
        self._progress["best_score"].assign(best.score)
        if better:
            self._checkpoint.save(self._best, best.epochs_done)
        self._checkpoint.save(self._latest, best.epochs_done)
        if best.exhausted:
            self.model.stop_training = True


class History(keras.callbacks.CSVLogger):
    """`history.csv`: a line of losses and metrics for each epoch."""

    def close(self) -> None:
        """Closes the file; Keras does so only if the training ends well."""
        file = getattr(self, "csv_file", None)
        if file is not None:
            file.close()


class Speed(keras.callbacks.Callback):
    """Measures training examples per second, without tracing and validation."""

    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.examples = 0
        self.seconds = 0.0

    @property
    def examples_per_second(self) -> float | None:
        """Examples per second; None if there were too few steps to tell."""
        return self.examples / self.seconds if self.seconds else None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts an epoch."""
        self._start: float | None = None
        self._last = 0

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Starts the clock once the first steps, which trace the graph, are over."""
        if self._start is None and batch >= WARM_UP_STEPS:
            self._start = time.perf_counter()
            self._first = batch
        self._last = batch
        self._now = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds up an epoch."""
        if self._start is not None and self._last > self._first:
            self.examples += (self._last - self._first) * self.batch_size
            self.seconds += self._now - self._start


class ProgressBar(keras.callbacks.Callback):
    """A bar for the steps of an epoch, and a line for each epoch that is done."""

    def __init__(self, epochs: int, steps: int, speed: Speed, console: Console) -> None:
        super().__init__()
        self.epochs = epochs
        self.steps = steps
        self.speed = speed
        self.console = console
        self._bar: Progress | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Shows a new bar."""
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._bar.start()
        self._task = self._bar.add_task(f"epoch {epoch + 1}", total=self.steps)

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Moves the bar."""
        if self._bar is not None:
            self._bar.update(self._task, completed=batch + 1)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Replaces the bar with the epoch's results."""
        self.close()
        logs = logs or {}
        speed = self.speed.examples_per_second
        self.console.print(
            f"epoch {epoch + 1}/{self.epochs}  loss {logs['loss']:.4f}  validation: "
            f"AUC {logs['val_mean_auc']:.4f}  GAUC {logs['val_mean_gauc']:.4f}"
            + (f"  {speed:,.0f} examples/s" if speed else ""),
            highlight=False,
            soft_wrap=True,
        )

    def close(self) -> None:
        """Takes the bar away, also when training fails: it hides the cursor."""
        if self._bar is not None:
            self._bar.stop()
