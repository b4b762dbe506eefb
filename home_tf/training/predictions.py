"""A model's predictions on a split, as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from home_tf.config import Config
from home_tf.evaluation import Calibrator, evaluate_tasks
from home_tf.losses import MaskedLoss

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Predictions:
    """Labels, probabilities and groups of the rows of a split.

    Attributes:
        labels: `{task: (rows,)}`; NaN or -1 where missing, for regression tasks NaN.
        probabilities: `{task: (rows,)}`; for regression tasks the predicted numbers.
        groups: `(rows,)`; None if there are no groups.
    """

    labels: dict[str, Array]
    probabilities: dict[str, Array]
    groups: Array | None

    def calibrate(self, calibrators: Mapping[str, Calibrator]) -> "Predictions":
        """Returns the predictions with calibrated probabilities.

        Args:
            calibrators: The calibrators of the calibrated tasks.
        """
        calibrated = {
            task: one.of_probabilities(self.probabilities[task])
            for task, one in calibrators.items()
        }
        return replace(self, probabilities={**self.probabilities, **calibrated})

    def evaluate(self, config: Config) -> dict[str, Any]:
        """Computes exact metrics with bootstrap intervals, by `home_tf.evaluation`."""
        return evaluate_tasks(
            self.labels,
            self.probabilities,
            self.groups,
            regression=config.regression_tasks,
            replicates=config.evaluation.bootstrap_replicates,
            seed=config.training.seed,
        )


class Predictor:
    """Runs a network over datasets, in one compiled function.

    Args:
        network: From features to logits `{task: (batch, 1)}`.
        losses: `{task: loss}`, which turns logits into predictions.
    """

    def __init__(self, network: Any, losses: Mapping[str, MaskedLoss]) -> None:
        self._network, self._losses = network, dict(losses)

    def predict(self, dataset: tf.data.Dataset) -> Predictions:
        """Predicts a dataset.

        Args:
            dataset: Batches `(features, labels, sample_weights)`, optionally with
                `groups`.

        Returns:
            The rows of the whole dataset, in order.
        """
        parts = [
            (labels, self._probabilities(features), groups)
            for features, labels, _, *groups in dataset
        ]
        labels, probabilities, groups = zip(*parts, strict=True)
        return Predictions(
            labels=_concatenate(labels),
            probabilities=_concatenate(probabilities),
            groups=np.concatenate([group.numpy() for (group,) in groups])
            if groups[0]
            else None,
        )

    @tf.function(reduce_retracing=True, autograph=False)
    def _probabilities(self, features: Any) -> Any:
        logits = self._network(features, training=False)
        return {
            task: tf.reshape(self._losses[task].to_prediction(x), [-1])
            for task, x in logits.items()
        }


def _concatenate(batches: tuple[dict[str, Any], ...]) -> dict[str, Array]:
    return {
        name: np.concatenate([batch[name].numpy() for batch in batches])
        for name in batches[0]
    }
