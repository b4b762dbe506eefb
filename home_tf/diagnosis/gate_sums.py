"""Sums over the weights of a gate, and the figures that follow from them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.diagnosis.expert_sums import effective_number, shares_of
from home_tf.diagnosis.inspection import Gate

Array = npt.NDArray[Any]

# An expert with less than this share of an even weight is dead for a gate.
DEAD_EXPERT = 0.01


class GateSums:
    """Sums over the weights of one gate, and the contributions of its experts.

    Args:
        gate: The gate, on any rows.
    """

    def __init__(self, gate: Gate) -> None:
        self._names = [str(expert) for expert in gate.experts]
        self._task = gate.task
        self._rows = 0
        self._weights = np.zeros(len(self._names))
        self._squares = np.zeros(len(self._names))
        self._contributions = np.zeros(len(self._names))
        self._effective = 0.0

    def add(self, gate: Gate, norms: Mapping[str, Array]) -> None:
        """Adds rows.

        Args:
            gate: The gate on these rows.
            norms: The norm of every expert's outputs, `(rows,)`.
        """
        weights = gate.weights.astype(np.float64)
        parts = weights * np.stack([norms[name] for name in self._names], axis=1)
        self._rows += len(weights)
        self._weights += weights.sum(axis=0)
        self._squares += (weights**2).sum(axis=0)
        self._contributions += shares_of(parts, parts.sum(axis=1)).sum(axis=0)
        self._effective += float(effective_number(weights).sum())

    def result(self) -> dict[str, Any]:
        """Returns the figures of the gate."""
        number, means = len(self._names), self._weights / self._rows
        contributions = self._contributions / self._rows
        largest = int(means.argmax())
        return {
            "task": self._task,
            "weights": dict(zip(self._names, means.tolist(), strict=True)),
            "contributions": dict(
                zip(self._names, contributions.tolist(), strict=True)
            ),
            "effective_experts": self._effective / self._rows / number,
            "expert_utilization": float(effective_number(means[None])[0]) / number,
            "largest_weight": float(means[largest]),
            "largest_expert": self._names[largest],
            "load_balance_cv": float(means.std() / means.mean()),
            "unused_expert_fraction": float(
                (means < DEAD_EXPERT * means.sum() / number).mean()
            ),
            "input_dependence": self._input_dependence(means),
        }

    def _input_dependence(self, means: Array) -> float:
        """The weights' variance over the rows, as a share of its possible maximum."""
        variance = float(np.maximum(self._squares / self._rows - means**2, 0.0).sum())
        most = float((means * (1.0 - means)).sum())
        return min(1.0, variance / most) if most > 1e-9 else 0.0
