"""The callbacks of `train`: validation, checkpoints, speed and progress."""

import csv
import importlib.util
import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from home_tf.backend import keras
from home_tf.diagnosis import ExpertMonitor
from home_tf.evaluation import auc, gauc, mean_of_defined
from home_tf.files import write_text
from home_tf.progress import draws_bars
from home_tf.run import Run
from home_tf.training.checkpoints import Checkpoints
from home_tf.training.experiment import Experiment
from home_tf.training.interruption import Interruption
from home_tf.training.journal import Journal, open_journal
from home_tf.training.predictions import Predictor
from home_tf.training.reset_embeddings import reset_embeddings
from home_tf.training.workers import Workers

WARM_UP_STEPS = 5
# Steps after which several processes agree on whether a checkpoint is due.
ASK_STEPS = 20
LINE_SECONDS = 30.0

OnValidation = Callable[[float], bool]


@contextmanager
def training_callbacks(
    run: Run,
    experiment: Experiment,
    checkpoints: Checkpoints,
    workers: Workers,
    interruption: Interruption,
    console: Console,
    on_validation: OnValidation | None = None,
) -> Iterator[Sequence[Any]]:
    """Yields the callbacks of a training, and saves its speed unless it fails.

    Args:
        run: The folder to write to.
        experiment: The experiment.
        checkpoints: The run's checkpoints, restored.
        workers: The processes that train together.
        interruption: The signals that are held back.
        console: Where progress is shown.
        on_validation: Called with the score of each validation; returns whether to stop
            the training.

    Yields:
        The callbacks, in order.
    """
    training = experiment.config.training
    speed = Speed(training.batch_size)
    bar = ProgressBar(training.epochs, experiment.steps_per_epoch, speed, console)
    with open_journal(run) as journal, closing(bar):
        board = Board(str(journal.logs), write_graph=False)
        milestones = Milestones(
            experiment,
            checkpoints,
            workers,
            interruption,
            journal=journal,
            board=board,
            speed=speed,
            bar=bar,
            on_validation=on_validation,
        )
        monitors = make_monitors(journal, experiment, checkpoints.step)
        yield speed, *monitors, board, milestones
    if speed.examples_per_second is not None:
        run.save_state(examples_per_second=round(speed.examples_per_second, 1))


def make_monitors(
    journal: Journal, experiment: Experiment, first_step: int
) -> list[ExpertMonitor]:
    """Makes the monitor of a training's experts, if configured."""
    every = experiment.config.training.monitor_experts
    if not every:
        return []
    ((features, labels, *_),) = experiment.read("validation").take(1)
    return [
        ExpertMonitor(
            features,
            labels,
            every=every,
            log_dir=journal.logs / "experts",
            images=importlib.util.find_spec("matplotlib") is not None,
            file=journal.curves_file,
            first_step=first_step,
        )
    ]


class Milestones(keras.callbacks.Callback):
    """Does what is due after a step: validation, a checkpoint, the end of an epoch.

    With `steps_per_execution`, Keras calls this after several steps, and what is due
    after one of them is done after the last.

    Args:
        experiment: The experiment.
        checkpoints: The run's checkpoints, restored.
        workers: The processes that train together.
        interruption: The signals that are held back.
        journal: Receives the metrics of each validation, as does `board`.
        board: The curves for TensorBoard.
        speed: Paused meanwhile.
        bar: Shows the progress of the training.
        on_validation: As `training_callbacks` takes it.
    """

    def __init__(
        self,
        experiment: Experiment,
        checkpoints: Checkpoints,
        workers: Workers,
        interruption: Interruption,
        *,
        journal: Journal,
        board: "Board",
        speed: "Speed",
        bar: "ProgressBar",
        on_validation: OnValidation | None,
    ) -> None:
        super().__init__()
        self._on_validation = on_validation
        self._experiment, self._checkpoints = experiment, checkpoints
        self._workers, self._interruption = workers, interruption
        self._journal, self._board = journal, board
        self._history = History(journal.history_file, step=checkpoints.step)
        self._speed, self._bar = speed, bar
        training = experiment.config.training
        self._score = f"val_mean_{training.select_by}"
        self._validations = Every(steps=training.validate_every)
        self._saves = Every(
            steps=training.checkpoint_steps,
            minutes=training.checkpoint_minutes,
        )

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Prepares what every validation needs."""
        self._validation = Validation(self._experiment, self.model.network)
        # A checkpoint at the end of an epoch has the tables of this epoch.
        done = max(self._checkpoints.step - 1, 0)
        self._epoch = done // self._experiment.steps_per_epoch

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Restores the metrics of the epoch, which Keras has just reset."""
        self._checkpoints.restore_metrics()

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Re-initialises the embedding tables at the start of an epoch, if wanted."""
        training, step = self._experiment.config.training, self._checkpoints.step
        epoch = step // self._experiment.steps_per_epoch
        if training.reset_embeddings and epoch > self._epoch:
            reset_embeddings(self.model, seed=training.seed, epoch=epoch)
        self._epoch = epoch

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Does what is due."""
        self._interruption.hold_back()
        steps = self._count_steps()
        self._bar.show_steps(steps, logs or {})
        if self._validations.is_due(steps):
            self._validate(steps)
        if steps.end_epoch:
            self.model.reset_metrics()
        due, interrupted = self._agree(steps)
        if due or self.model.stop_training or interrupted:
            self._save(steps)
        if interrupted:
            self._workers.any(True)  # the chief, which writes, comes last
            self._interruption.deliver()
            raise KeyboardInterrupt  # in another process

    def _agree(self, steps: "Steps") -> tuple[bool, bool]:
        """Agrees on whether a checkpoint is due, and whether a process is interrupted.

        All processes that train together must do the same, and asking them takes time.
        """
        due, interrupted = self._saves.is_due(steps), self._interruption.requested
        if not self._workers.several:
            return due, interrupted
        asks = steps.end_epoch or steps.complete(ASK_STEPS)
        if self._saves.by_the_clock:  # the chief's: clocks differ
            due = asks and self._workers.share([float(due)]) == [1.0]
        return due, asks and self._workers.any(interrupted)

    def _count_steps(self) -> "Steps":
        before, experiment = self._checkpoints.step, self._experiment
        # Keras 3 passes the first of several steps, or one past the last, depending on
        # its version; and the last call may do fewer.
        now = before + experiment.config.training.steps_per_execution
        self._checkpoints.step = min(now, experiment.steps)
        return Steps(before, self._checkpoints.step, experiment.steps_per_epoch)

    def _validate(self, steps: "Steps") -> None:
        checkpoints = self._checkpoints
        checkpoints.check_finite(steps.epoch + 1)
        # The logs of a step come from one replica.
        trained = {n: float(x) for n, x in self.model.get_metrics_result().items()}
        logs = {**trained, **self._share(self._validation.measure())}
        self._history.add(steps, logs)
        self._board.write(steps.now, logs)
        self._bar.show_validation(steps, logs)
        if checkpoints.best.add(logs[self._score]):
            checkpoints.save_best()
        wanted = self._on_validation and self._on_validation(logs[self._score])
        self.model.stop_training = bool(wanted) or checkpoints.best.exhausted
        self._speed.pause()

    def _share(self, scores: dict[str, float]) -> dict[str, float]:
        """Shares the chief's scores: others' own can differ in the last digit."""
        shared = self._workers.share(list(scores.values()))
        return dict(zip(scores, shared, strict=True))

    def _save(self, steps: "Steps") -> None:
        self._checkpoints.check_finite(steps.epoch + 1)
        # The history first: lines of later steps are removed, missing ones not
        # rewritten.
        self._journal.upload()
        self._checkpoints.save()
        self._saves.restart()
        self._speed.pause()


@dataclass(frozen=True)
class Steps:
    """The steps that Keras has just done in one call.

    Attributes:
        before: Steps of the training that were done before, over all epochs.
        now: Steps that have just been done.
        per_epoch: Steps per epoch.
    """

    before: int
    now: int
    per_epoch: int

    @property
    def epoch(self) -> int:
        """The epoch of the first of these steps, counted from 0."""
        return self.before // self.per_epoch

    @property
    def in_epoch(self) -> int:
        """Steps of this epoch so far."""
        return min(self.now - self._first, self.per_epoch)

    @property
    def end_epoch(self) -> bool:
        """Whether these steps complete the epoch."""
        return self.in_epoch == self.per_epoch

    def complete(self, every: int) -> bool:
        """Whether these steps include a multiple of `every` within the epoch."""
        return self.in_epoch // every > (self.before - self._first) // every

    @property
    def _first(self) -> int:
        return self.epoch * self.per_epoch


class Every:
    """Decides when something is due: every few steps or minutes, and after an epoch.

    Args:
        steps: The interval in steps, counted within each epoch.
        minutes: The interval in minutes.
    """

    def __init__(
        self, *, steps: int | None = None, minutes: float | None = None
    ) -> None:
        self._steps, self._minutes = steps, minutes
        self.restart()

    @property
    def by_the_clock(self) -> bool:
        """Whether the interval is in minutes."""
        return bool(self._minutes)

    def restart(self) -> None:
        """Restarts the clock."""
        self._start = time.monotonic()

    def is_due(self, steps: Steps) -> bool:
        """Whether it is due after these steps."""
        if self._minutes and time.monotonic() - self._start >= 60 * self._minutes:
            return True
        return steps.end_epoch or bool(self._steps and steps.complete(self._steps))


class Validation:
    """Exact metrics on the validation rows.

    Args:
        experiment: The experiment.
        network: The network that is trained.
    """

    def __init__(self, experiment: Experiment, network: Any) -> None:
        training = experiment.config.training
        self._tasks = training.monitor_tasks or tuple(experiment.config.tasks)
        self._dataset = experiment.read("validation")
        self._predictor = Predictor(network, experiment.make_losses())
        self._regression = experiment.config.regression_tasks

    def measure(self) -> dict[str, float]:
        """Evaluates the network as it is.

        Returns:
            `val_<task>_auc`, `val_<task>_gauc`, and their means over the monitored
            tasks, `val_mean_auc` and `val_mean_gauc`, leaving out tasks for which they
            are undefined; NaN if they all are. Without groups there is no GAUC.
        """
        found = self._predictor.predict(self._dataset)
        aucs, gaucs = {}, {}
        for task, labels in found.labels.items():
            predicted, numeric = found.probabilities[task], task in self._regression
            aucs[task] = auc(labels, predicted, numeric=numeric)
            if found.groups is not None:
                gaucs[task] = gauc(labels, predicted, found.groups, numeric=numeric)
        return self._named("auc", aucs) | self._named("gauc", gaucs)

    def _named(self, metric: str, values: dict[str, float]) -> dict[str, float]:
        if not values:
            return {}
        mean = float(mean_of_defined([values[task] for task in self._tasks]))
        by_task = {f"val_{task}_{metric}": value for task, value in values.items()}
        return {**by_task, f"val_mean_{metric}": mean}


class History:
    """`history.csv`: a line of losses and metrics for each validation.

    Args:
        file: The file.
        step: Steps so far: lines of later steps, from a killed training that wrote them
            but did not save a checkpoint, are removed.
    """

    def __init__(self, file: Path, *, step: int) -> None:
        self._file = file
        rows = []
        if step and file.is_file():
            rows = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8"))))
        # A truncated line is shorter than the first.
        kept = [row for row in rows[1:] if len(row) == len(rows[0])]
        kept = [row for row in kept if int(row[1]) <= step]
        write_text(file, _to_csv(*rows[:1], *kept))

    def add(self, steps: Steps, logs: dict[str, Any]) -> None:
        """Adds a line.

        Args:
            steps: Steps so far.
            logs: The losses and metrics.
        """
        row = {"epoch": steps.epoch, "step": steps.now, **logs}
        is_new = not self._file.stat().st_size
        with self._file.open("a", encoding="utf-8", newline="") as file:
            file.write(_to_csv(*([row] if is_new else []), row.values()))


def _to_csv(*rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


class Board(keras.callbacks.TensorBoard):
    """The curves for TensorBoard, at the steps of the validations."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes nothing: to Keras, all epochs are one."""

    def write(self, step: int, logs: dict[str, Any]) -> None:
        """Writes losses and metrics.

        Args:
            step: Steps so far.
            logs: The losses and metrics.
        """
        super().on_epoch_end(step, logs)


class Speed(keras.callbacks.Callback):
    """Measures training examples per second, excluding tracing and pauses."""

    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.examples = 0
        self.seconds = 0.0

    @property
    def examples_per_second(self) -> float | None:
        """Examples per second; None if there were too few steps."""
        return self.examples / self.seconds if self.seconds else None

    def pause(self) -> None:
        """Stops the clock until the next step begins."""
        self._clock: float | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Waits for the first steps, which trace the graph."""
        self.pause()
        self._last = 0

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Starts the clock after a pause."""
        if self._clock is None and self._last >= WARM_UP_STEPS:
            self._clock = time.perf_counter()

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Counts the steps."""
        now = time.perf_counter()
        if self._clock is not None:
            self.examples += (batch - self._last) * self.batch_size
            self.seconds += now - self._clock
        self._last = batch
        self._clock = now if batch >= WARM_UP_STEPS else None


class ProgressBar:
    """Shows a bar for the steps of an epoch, and a line for each validation.

    Without a terminal, it prints a line every `LINE_SECONDS` instead of the bar.

    Args:
        epochs: Number of epochs.
        steps: Steps per epoch.
        speed: Measures the speed that is shown.
        console: Where it is shown.
    """

    def __init__(self, epochs: int, steps: int, speed: Speed, console: Console) -> None:
        self.epochs = epochs
        self.steps = steps
        self.speed = speed
        self.console = console
        self._bar: Progress | None = None
        self._last_line = time.monotonic()

    def show_steps(self, steps: Steps, logs: dict[str, Any]) -> None:
        """Moves the bar, or prints a line."""
        if self._bar is None:
            self._start(steps)
        if self._bar is not None:
            self._bar.update(self._task, completed=steps.in_epoch)
        if draws_bars(self.console) or not logs:
            return
        if time.monotonic() - self._last_line >= LINE_SECONDS:
            self._last_line = time.monotonic()
            self._print(steps, f"{self._step(steps)}  loss {logs['loss']:.4f}")

    def _start(self, steps: Steps) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not draws_bars(self.console),
        )
        self._bar.start()
        self._task = self._bar.add_task(f"epoch {steps.epoch + 1}", total=self.steps)

    def show_validation(self, steps: Steps, logs: dict[str, Any]) -> None:
        """Prints the results of a validation; those of an epoch replace its bar."""
        if steps.end_epoch:
            self.close()
        found = "".join(
            f"  {name.upper()} {_shown(logs[f'val_mean_{name}'])}"
            for name in ("auc", "gauc")
            if f"val_mean_{name}" in logs
        )
        text = f"loss {logs['loss']:.4f}  validation:{found}"
        speed = self.speed.examples_per_second
        if not steps.end_epoch:
            text = f"{self._step(steps)}  {text}"
        elif speed:
            text = f"{text}  {speed:,.0f} examples/s"
        self._print(steps, text)

    def _step(self, steps: Steps) -> str:
        return f"step {steps.in_epoch:,}/{self.steps:,}"

    def _print(self, steps: Steps, text: str) -> None:
        line = f"epoch {steps.epoch + 1}/{self.epochs}  {text}"
        self.console.print(line, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Removes the bar, even when training fails, because it hides the cursor."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _shown(value: float) -> str:
    return "undefined" if np.isnan(value) else f"{value:.4f}"
