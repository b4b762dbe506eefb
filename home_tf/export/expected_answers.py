"""What an export should answer, from the trained model and not from the export."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.config import Config, ScoreConfig
from home_tf.config.score_config import SCORE

Floats = npt.NDArray[np.float64]


def expected_answers(
    network: Any, preprocessor: Any, config: Config, batch: Mapping[str, Any]
) -> dict[str, Floats]:
    """Preprocessing and network, run eagerly; the rest by NumPy.

    Args:
        network: From there to logits `{task: (rows, 1)}`.
        preprocessor: From columns to the network's inputs.
        config: The configuration.
        batch: Tensors of record columns, as `DatasetDirectory.read` yields them.

    Returns:
        Probabilities `{task: (rows,)}`, and the score if the configuration has one.
    """
    logits = network(preprocessor(batch), training=False)
    answers = {task: _sigmoid(logits[task]) for task in config.tasks}
    if config.serving.score is not None:
        answers[SCORE] = _scored(config.serving.score, answers)
    return answers


def _sigmoid(logits: Any) -> Floats:
    return 1 / (1 + np.exp(-logits.numpy().ravel().astype(np.float64)))


def _scored(score: ScoreConfig, probabilities: Mapping[str, Floats]) -> Floats:
    weights = score.weights.items()
    if score.form == "sum":
        terms = [weight * probabilities[task] for task, weight in weights]
        return np.sum(terms, axis=0)
    return np.prod([probabilities[task] ** weight for task, weight in weights], axis=0)
