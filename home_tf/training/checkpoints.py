"""The checkpoints of a run: the last few, and the best one."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from home_tf.backend.variables import (
    find_not_finite,
    named_metric_variables,
    named_optimizer_variables,
    named_random_states,
    named_variables,
)
from home_tf.config import TrainingConfig
from home_tf.errors import HomeError
from home_tf.files import AnyPath, remove_directory
from home_tf.run import Run
from home_tf.training.best_validation import BestValidation
from home_tf.training.checkpoint import (
    STATE_FILE,
    Checkpoint,
    UnreadableCheckpointError,
    shorten,
)


class Checkpoints:
    """The last few checkpoints of a run, `step-<number>`, and the best one, `best`.

    Each of them has all that a resumed training needs: the weights, including those of
    the loss weighting, the optimizer, the streaming metrics of the epoch, the random
    generators, the number of steps done, and the best validation.

    Args:
        run: The run's folder.
        model: The compiled model.
        training: Defines how many checkpoints are kept, and the patience.
        writes: Whether this process is the one that writes.

    Attributes:
        run: The run's folder.
        step: Steps of the training so far, over all epochs.
        saved_step: Steps in the last checkpoint; 0 if there is none.
        best: The best validation.
    """

    def __init__(
        self, run: Run, model: Any, training: TrainingConfig, *, writes: bool = True
    ) -> None:
        self.step = self.saved_step = 0
        self.best = BestValidation(training.patience)
        self.run = run
        self._writes = writes
        self._folder = run.checkpoints
        self._keep = training.keep_checkpoints
        self._metrics = named_metric_variables(model)
        self._metric_values: dict[str, Any] = {}
        self._progress = {
            "step": tf.Variable(0, dtype=tf.int64),
            "validations": tf.Variable(0, dtype=tf.int64),
            "best_validation": tf.Variable(0, dtype=tf.int64),
            "best_score": tf.Variable(-np.inf, dtype=tf.float64),
        }
        self._trained = {
            "network": named_variables(model.network),
            "loss_weighting": named_variables(model.loss_weighting),
            "optimizer": named_optimizer_variables(model),
        }
        self._checkpoint = Checkpoint(
            **self._trained,
            metrics=self._metrics,
            random=named_random_states(model.network),
            progress=self._progress,
        )

    def restore(self, say: Callable[[str], None]) -> None:
        """Restores the last readable checkpoint, if there is one.

        Args:
            say: Called with a line about each checkpoint that cannot be read.

        Raises:
            HomeError: If there are checkpoints but none can be read, or they do not fit
                this model.
        """
        self._check_layout()
        unreadable: dict[AnyPath, UnreadableCheckpointError] = {}
        for folder in self._find_saved():
            try:
                found = self._checkpoint.restore(folder)
            except UnreadableCheckpointError as error:
                unreadable[folder] = error
                continue
            if found:
                self._take_progress()
                for broken in unreadable:
                    say(f"{broken}: cannot be read; resuming from {folder.name}")
                return
        if unreadable:
            raise next(iter(unreadable.values()))

    def start_from(self, folder: AnyPath) -> None:
        """Takes over the weights and the optimizer state from another run's checkpoint.

        Embedding tables may have more rows here. The additional rows and the learning
        rate stay as they are.

        Args:
            folder: The folder of the checkpoint.

        Raises:
            HomeError: If there is none, or it does not fit this model.
        """
        optimizer = self._trained["optimizer"].items()
        rates = [v for name, v in optimizer if name.endswith("learning_rate")]
        wanted = [rate.numpy() for rate in rates]
        found = Checkpoint(**self._trained).restore(folder, may_grow=True)
        for rate, value in zip(rates, wanted, strict=True):
            rate.assign(value)
        if not found:
            raise HomeError(
                f"{folder}: no checkpoint. Run `home-tf train` to its first validation "
                "first"
            )

    def _check_layout(self) -> None:
        before = self._folder / "latest"
        if before.is_dir():
            raise HomeError(
                f"{before}: was written by an earlier version of home_tf, which only "
                "saved whole epochs. Train again, into another folder"
            )

    def _find_saved(self) -> list[AnyPath]:
        """Finds the folders of the checkpoints, the latest first."""
        found = self._folder.glob("step-*")
        numbered = [path for path in found if re.fullmatch(r"step-\d+", path.name)]
        return sorted(numbered, key=_step_of, reverse=True)

    def _take_progress(self) -> None:
        progress = self._progress
        self.step = self.saved_step = int(progress["step"])
        self.best.done = int(progress["validations"])
        self.best.number = int(progress["best_validation"])
        self.best.score = float(progress["best_score"])
        self._metric_values = {n: v.numpy() for n, v in self._metrics.items()}

    def restore_metrics(self) -> None:
        """Restores the metrics again, because Keras resets them when it begins."""
        for name, value in self._metric_values.items():
            self._metrics[name].assign(value)
        self._metric_values = {}

    def save(self) -> None:
        """Saves the current training, and removes checkpoints that are not kept.

        Raises:
            HomeError: If the folder cannot be written, for example because the disk is
                full.
        """
        self._save_as(f"step-{self.step}")
        self.saved_step = self.step
        # Later ones could not be read, and belong to steps that are repeated.
        saved = self._find_saved() if self._writes else []
        kept = [folder for folder in saved if _step_of(folder) <= self.step]
        for folder in set(saved) - set(kept[: self._keep]):
            remove_directory(folder, marker=STATE_FILE)

    def save_best(self) -> None:
        """Saves the current training as the best.

        Raises:
            HomeError: As in `save`.
        """
        self._save_as("best")

    def _save_as(self, name: str) -> None:
        progress, best = self._progress, self.best
        progress["step"].assign(self.step)
        progress["validations"].assign(best.done)
        progress["best_validation"].assign(best.number)
        progress["best_score"].assign(best.score)
        folder = self._folder / name
        self._checkpoint.save(folder, self.step, writes=self._writes)

    def check_finite(self, epoch: int) -> None:
        """Ends a training that has diverged, before it is saved.

        Args:
            epoch: The epoch, counted from 1, for the message.

        Raises:
            HomeError: If a weight or its optimizer state is not finite.
        """
        variables = {n: v for part in self._trained.values() for n, v in part.items()}
        wrong = find_not_finite(variables)
        if wrong:
            kept = (
                f"is kept as it was after step {self.saved_step:,}"
                if self.saved_step
                else "holds nothing"
            )
            raise HomeError(
                f"training has diverged in epoch {epoch}: NaN or infinity in "
                f"{len(wrong)} of {len(variables)} variables ({shorten(wrong)}). "
                f"{self._folder.parent} {kept}. Train another run with a smaller "
                "`training.learning_rate`, or with `training.clip_norm`"
            )


def _step_of(folder: AnyPath) -> int:
    return int(folder.name.removeprefix("step-"))
