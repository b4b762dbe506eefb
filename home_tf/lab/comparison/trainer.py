"""The interface of trainers, and the result of a training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

from home_tf.config import Config
from home_tf.evaluation import auc, gauc, mean_of_defined
from home_tf.lab.comparison.split_data import SplitData

Probabilities = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training.

    Attributes:
        score: The score of the best validation, which selects epochs and trials. NaN
            if it is undefined.
        best_epoch: How many epochs had been trained then, by `training.validate_every`
            not always a whole number; of LightGBM the mean number of trees a task.
        history: A dict for each validation: the `epoch`, so counted, `loss` and
            `score`. Empty for LightGBM.
        examples_per_second: Training rows per second, or None if too few to tell.
        params: Trainable weights without embedding tables; leaves of LightGBM.
    """

    score: float
    best_epoch: float
    history: list[dict[str, float]]
    examples_per_second: float | None
    params: int


class Trainer(Protocol):
    """Trains a model on the training rows of a fold, repeatedly."""

    def fit(self, seed: int) -> TrainingResult:
        """Trains from the start, and keeps the best epoch on the validation rows."""

    def predict(self, split: SplitData) -> Probabilities:
        """Predicts probabilities with the last fit, `{task: (rows,)}`."""

    def measure_experts(self, split: SplitData) -> dict[str, Any] | None:
        """The figures of the experts of the last fit; None without experts."""


def validation_score(
    config: Config,
    labels: Mapping[str, Any],
    probabilities: Mapping[str, Any],
    groups: Any,
    metric: str,
) -> float:
    """The mean AUC or GAUC over the monitored tasks for which it is defined.

    Args:
        config: The configuration, for `training.monitor_tasks`.
        labels: `{task: (rows,)}`.
        probabilities: `{task: (rows,)}`.
        groups: `(rows,)`; None if there are none.
        metric: `auc` or `gauc`.

    Returns:
        The mean; NaN if it is defined for no task.
    """
    values = [
        auc(labels[task], probabilities[task], numeric=config.tasks[task].is_regression)
        if metric == "auc"
        else gauc(
            labels[task],
            probabilities[task],
            groups,
            numeric=config.tasks[task].is_regression,
        )
        for task in config.training.monitor_tasks or config.tasks
    ]
    return float(mean_of_defined(values))
