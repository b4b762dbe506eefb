"""The callbacks of `train`: validation, checkpoints, speed and progress."""

import importlib.util
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
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
from home_tf.backend.variables import (
    find_not_finite,
    named_optimizer_variables,
    named_variables,
)
from home_tf.config import TrainingConfig
from home_tf.diagnosis import ExpertMonitor
from home_tf.errors import HomeError
from home_tf.evaluation import auc, gauc, mean_of_defined
from home_tf.files import write_text
from home_tf.run import Run
from home_tf.training.best_epoch import BestEpoch
from home_tf.training.checkpoint import Checkpoint, shorten
from home_tf.training.experiment import Experiment
from home_tf.training.predictions import Predictor
from home_tf.training.workers import ChiefsScores, Workers

WARM_UP_STEPS = 5
LINE_SECONDS = 30.0


@contextmanager
def training_callbacks(
    run: Run,
    experiment: Experiment,
    checkpoints: "Checkpoints",
    workers: Workers,
    console: Console,
) -> Iterator[Sequence[Any]]:
    """Lends the callbacks of a training, and saves its speed if it does not fail.

    Args:
        run: The folder to write to.
        experiment: The experiment.
        checkpoints: The run's checkpoints, restored.
        workers: The processes that train together.
        console: Where progress is shown.

    Yields:
        The callbacks, in their order: the later ones read what the earlier ones add to
        the logs.
    """
    training = experiment.config.training
    speed = Speed(training.batch_size)
    history = History(run.history_file, first_epoch=checkpoints.best_epoch.epochs_done)
    board = keras.callbacks.TensorBoard(str(run.folder / "logs"), write_graph=False)
    bar = ProgressBar(
        training.epochs,
        experiment.steps_per_epoch,
        speed,
        console,
    )
    monitors = make_monitors(run, experiment, checkpoints.best_epoch.epochs_done)
    with closing(history), closing(bar):
        yield (
            speed,
            *monitors,
            FiniteWeights(checkpoints.run),
            Validation(experiment),
            ChiefsScores(workers),
            history,
            checkpoints,
            board,
            bar,
        )
    if speed.examples_per_second is not None:
        run.save_state(examples_per_second=round(speed.examples_per_second, 1))


def make_monitors(
    run: Run, experiment: Experiment, epochs_done: int
) -> list[ExpertMonitor]:
    """The monitor of a training's experts, if the configuration wants one."""
    every = experiment.config.training.monitor_experts
    if not every:
        return []
    ((features, labels, *_),) = experiment.read("validation").take(1)
    return [
        ExpertMonitor(
            features,
            labels,
            every=every,
            log_dir=run.folder / "logs" / "experts",
            images=importlib.util.find_spec("matplotlib") is not None,
            file=run.curves_file,
            first_step=epochs_done * experiment.steps_per_epoch,
        )
    ]


class FiniteWeights(keras.callbacks.Callback):
    """Ends a training that has diverged, before anything of it is measured or saved.

    Args:
        run: The run's folder.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Checks all weights, and what the optimizer keeps of them."""
        variables = {
            **named_variables(self.model.network),
            **named_variables(self.model.loss_weighting),
            **named_optimizer_variables(self.model),
        }
        wrong = find_not_finite(variables)
        if wrong:
            kept = (
                f"is kept as it was after epoch {epoch}" if epoch else "holds nothing"
            )
            raise HomeError(
                f"training has diverged in epoch {epoch + 1}: NaN or infinity in "
                f"{len(wrong)} of {len(variables)} variables ({shorten(wrong)}). "
                f"{self._run.folder} {kept}. Train another run with a smaller "
                "`training.learning_rate`, or with `training.clip_norm`"
            )


class Validation(keras.callbacks.Callback):
    """Adds exact validation metrics to the logs of an epoch.

    `val_<task>_auc`, `val_<task>_gauc`, and their means over the monitored tasks,
    `val_mean_auc` and `val_mean_gauc`, leaving out tasks for which they are undefined;
    NaN where that is all. Without groups there is no GAUC.

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
            logs[f"val_{task}_auc"] = aucs[task]
            if found.groups is not None:
                gaucs[task] = gauc(labels, found.probabilities[task], found.groups)
                logs[f"val_{task}_gauc"] = gaucs[task]
        for name, values in (("auc", aucs), ("gauc", gaucs)):
            if not values:
                continue
            monitored = [values[task] for task in self.monitor_tasks]
            logs[f"val_mean_{name}"] = float(mean_of_defined(monitored))


class Checkpoints(keras.callbacks.Callback):
    """Keeps the latest and the best checkpoint, and stops when the best is long past.

    All that a resumed training needs is in the checkpoint: weights, those of the loss
    weighting among them, optimiser, the number of epochs done, the best epoch and its
    score.

    Args:
        run: The run's folder.
        model: The compiled model.
        training: What picks the best epoch, and how many epochs without a better one
            end the training.
        writes: Whether this process is the one that writes.
    """

    def __init__(
        self, run: Run, model: Any, training: TrainingConfig, *, writes: bool = True
    ) -> None:
        super().__init__()
        self.run = run
        self._writes = writes
        self.best_epoch = BestEpoch(training.patience)
        self._score = f"val_mean_{training.select_by}"
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
        better = best.add((logs or {})[self._score])
        self._progress["epochs_done"].assign(best.epochs_done)
        self._progress["best_epoch"].assign(best.epoch)
        self._progress["best_score"].assign(best.score)
        if better:
            self._checkpoint.save(self._best, best.epochs_done, writes=self._writes)
        self._checkpoint.save(self._latest, best.epochs_done, writes=self._writes)
        if best.exhausted:
            self.model.stop_training = True


class History(keras.callbacks.CSVLogger):
    """`history.csv`: a line of losses and metrics for each epoch.

    Args:
        file: The file.
        first_epoch: The epoch that training begins with, counted from 0: later ones,
            which a killed training wrote and did not save, are removed.
    """

    def __init__(self, file: Path, *, first_epoch: int) -> None:
        super().__init__(str(file), append=first_epoch > 0)
        if first_epoch and file.is_file():
            lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
            write_text(file, "".join(lines[: first_epoch + 1]))

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
    """A bar for the steps of an epoch, and a line for each epoch that is done.

    Without a terminal, a line every `LINE_SECONDS` stands for the bar.
    """

    def __init__(self, epochs: int, steps: int, speed: Speed, console: Console) -> None:
        super().__init__()
        self.epochs = epochs
        self.steps = steps
        self.speed = speed
        self.console = console
        self._bar: Progress | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Shows a new bar."""
        self._epoch = f"epoch {epoch + 1}/{self.epochs}"
        self._last_line = time.monotonic()
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
        """Moves the bar, or prints a line."""
        if self._bar is not None:
            self._bar.update(self._task, completed=batch + 1)
        if self.console.is_terminal or not logs:
            return
        if time.monotonic() - self._last_line >= LINE_SECONDS:
            self._last_line = time.monotonic()
            self._print(f"step {batch + 1:,}/{self.steps:,}  loss {logs['loss']:.4f}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Replaces the bar with the epoch's results."""
        self.close()
        logs = logs or {}
        speed = self.speed.examples_per_second
        found = "".join(
            f"  {name.upper()} {_shown(logs[f'val_mean_{name}'])}"
            for name in ("auc", "gauc")
            if f"val_mean_{name}" in logs
        )
        self._print(
            f"loss {logs['loss']:.4f}  validation:{found}"
            + (f"  {speed:,.0f} examples/s" if speed else "")
        )

    def _print(self, text: str) -> None:
        line = f"{self._epoch}  {text}"
        self.console.print(line, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Takes the bar away, also when training fails: it hides the cursor."""
        if self._bar is not None:
            self._bar.stop()


def _shown(value: float) -> str:
    return "undefined" if np.isnan(value) else f"{value:.4f}"
