"""Sums over the outputs of experts, and the figures that follow from them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.diagnosis.distribution import Distribution

Array = npt.NDArray[Any]

NEAR_ZERO = 1e-3
# A dimension that is zero in more than this share of the rows is dead.
DEAD_DIMENSION = 0.99


class ExpertSums:
    """Sums over the outputs of one expert.

    Args:
        width: The expert's output width.
    """

    def __init__(self, width: int) -> None:
        self._rows = 0
        self._sums = np.zeros(width)
        self._products = np.zeros((width, width))
        self._zeros = np.zeros(width)
        self._near = 0
        self._gradient_norms: float | None = None
        self._distribution = Distribution()

    def add(self, outputs: Array, gradients: Array | None) -> None:
        """Adds rows: outputs and the gradients of the loss at them, `(rows, D)`."""
        x = outputs.astype(np.float64)
        self._rows += len(x)
        self._sums += x.sum(axis=0)
        self._products += x.T @ x
        self._zeros += (x == 0).sum(axis=0)
        self._near += int((np.abs(x) < NEAR_ZERO).sum())
        self._distribution.add(outputs)
        if gradients is not None:
            norms = np.linalg.norm(gradients.astype(np.float64), axis=1)
            self._gradient_norms = (self._gradient_norms or 0.0) + float(norms.sum())

    def result(self) -> dict[str, Any]:
        """Returns the figures of the expert."""
        rows, width = self._rows, len(self._sums)
        means = self._sums / rows
        covariance = self._products / rows - np.outer(means, means)
        squares = float(np.trace(self._products)) / (rows * width)
        norms = self._gradient_norms
        return {
            "mean": float(means.mean()),
            "variance": max(0.0, squares - float(means.mean()) ** 2),
            "quantiles": self._distribution.quantiles(),
            "zeros": float(self._zeros.sum() / (rows * width)),
            "near_zeros": self._near / (rows * width),
            "dead_dimensions": float((self._zeros > DEAD_DIMENSION * rows).mean()),
            "effective_rank": effective_rank(covariance),
            "gradient_norm": None if norms is None else norms / rows,
        }


class BankSums:
    """Sums over the outputs of sibling experts, for their similarity.

    Args:
        names: The experts.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._rows = 0
        self._sums: Any = 0.0
        self._products: Any = 0.0

    def add(self, outputs: Array) -> None:
        """Adds rows, `(rows, experts, D)`."""
        flat = outputs.reshape(len(outputs), -1).astype(np.float64)
        self._rows += len(flat)
        self._sums = self._sums + flat.sum(axis=0)
        self._products = self._products + flat.T @ flat

    def twins(self) -> dict[str, dict[str, Any]]:
        """Finds each expert's most similar sibling, and their similarity."""
        number = len(self._names)
        if number < 2:
            return {}
        means = self._sums / self._rows
        covariance = self._products / self._rows - np.outer(means, means)
        width = len(means) // number
        blocks = covariance.reshape(number, width, number, width)
        squares = (blocks**2).sum(axis=(1, 3))
        own = np.sqrt(np.diag(squares))
        scale = np.outer(own, own)
        similar = np.divide(squares, scale, out=np.zeros_like(squares), where=scale > 0)
        np.fill_diagonal(similar, -1.0)
        return {
            name: {
                "twin": self._names[int(similar[i].argmax())],
                "similarity": float(similar[i].max()),
            }
            for i, name in enumerate(self._names)
        }


def effective_number(weights: Array) -> Array:
    """exp(H) of each row of weights, scaled to sum to 1: `(rows,)`."""
    shares = shares_of(weights, weights.sum(axis=1))
    logs = np.log(np.where(shares > 0, shares, 1.0))
    found: Array = np.exp(-(shares * logs).sum(axis=1))
    return found


def effective_rank(covariance: Array) -> float:
    """exp(H) of a covariance's eigenvalues, scaled to sum to 1; 0 if all are 0."""
    values = np.maximum(np.linalg.eigvalsh(covariance), 0.0)
    return float(effective_number(values[None])[0]) if values.sum() > 0 else 0.0


def shares_of(parts: Array, total: Array) -> Array:
    """Parts as shares of a total, `(rows, n)`; 0 where the total is 0."""
    nothing = np.zeros_like(parts, dtype=np.float64)
    found: Array = np.divide(
        parts, total[:, None], out=nothing, where=total[:, None] > 0
    )
    return found
