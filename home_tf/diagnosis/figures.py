"""Figures of experts and gates, added up batch by batch.

`docs/diagnosis.md` has every figure with its formula.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.diagnosis.inspection import Gate, Inspection

Array = npt.NDArray[Any]

NEAR_ZERO = 1e-3
# A dimension that is zero in more than this share of the rows is dead.
DEAD_DIMENSION = 0.99
# An expert with less than this share of an even weight is dead for a gate.
DEAD_EXPERT = 0.01


class Figures:
    """The figures of all rows that were added.

    Args:
        features: `{feature: width}` in the order of the model's features, if the
            figures of feature gates are to be by feature.

    Example:
        >>> figures = Figures()
        >>> for features in batches:
        ...     figures.add(inspector.read(features))
        >>> figures.result()["gates"]["task/inter/is_like"]["weights"]
    """

    def __init__(self, features: Mapping[str, int] | None = None) -> None:
        self._features = dict(features or {})
        self._rows = 0
        self._experts: dict[str, _Expert] = {}
        self._banks: dict[str, _Bank] = {}
        self._gates: dict[str, _Gate] = {}
        self._self_gates: dict[str, _Gate] = {}
        self._tasks: dict[str, dict[str, float]] = {}
        self._feature_gates: dict[str, Array] = {}
        self._reading: set[str] = set()

    def add(self, found: Inspection) -> None:
        """Adds rows."""
        rows = len(next(iter(found.experts.values())))
        self._rows += rows
        for name, outputs in found.experts.items():
            self._experts.setdefault(name, _Expert(outputs.shape[1])).add(outputs)
        for names in found.banks:
            bank = self._banks.setdefault(names[0], _Bank(names))
            bank.add(np.stack([found.experts[name] for name in names], axis=1))
        norms = {n: np.linalg.norm(x, axis=1) for n, x in found.experts.items()}
        for gates, sums in (
            (found.gates, self._gates),
            (found.self_gates, self._self_gates),
        ):
            for name, gate in gates.items():
                sums.setdefault(name, _Gate(gate)).add(gate, norms)
        for name, gate in found.gates.items():
            if gate.task is not None:
                self._add_task(name, gate, found.self_gates.get(name), norms)
        for name, values in found.feature_gates.items():
            total = values.astype(np.float64).sum(axis=0)
            self._feature_gates[name] = self._feature_gates.get(name, 0.0) + total
        self._reading |= set(found.reading_features)

    def _add_task(
        self, name: str, gate: Gate, self_gate: Gate | None, norms: Mapping[str, Array]
    ) -> None:
        """Whose experts the representation of a task is made of."""
        masses = {"shared": 0.0, "group": 0.0, "task": 0.0}
        parts = {owner: np.zeros(len(gate.weights)) for owner in masses}
        for one in (gate, self_gate):
            for k, expert in enumerate(one.experts if one else ()):
                weight = one.weights[:, k] if one else 0.0
                parts[expert.owner] += weight * norms[str(expert)]
        total = np.sum(list(parts.values()), axis=0)
        sums = self._tasks.setdefault(str(gate.task), masses)
        for owner, part in parts.items():
            sums[owner] += float(_shares(part[:, None], total)[:, 0].sum())

    def result(self) -> dict[str, Any]:
        """The figures, as JSON has them.

        Returns:
            `rows`; `experts`, `gates`, `self_gates`, `tasks` and `feature_gates`, each
            a dict by name.
        """
        twins = {n: t for bank in self._banks.values() for n, t in bank.twins().items()}
        gates = {name: gate.result() for name, gate in self._gates.items()}
        return {
            "rows": self._rows,
            "experts": {
                name: {**expert.result(), **twins.get(name, _NO_TWIN)}
                for name, expert in self._experts.items()
            },
            "use": _use(gates),
            "gates": gates,
            "self_gates": {n: gate.result() for n, gate in self._self_gates.items()},
            "tasks": {
                task: {owner: value / self._rows for owner, value in masses.items()}
                for task, masses in self._tasks.items()
            },
            "feature_gates": {
                name: self._by_feature(name, total / self._rows)
                for name, total in self._feature_gates.items()
            },
        }

    def _by_feature(self, name: str, means: Array) -> dict[str, Any]:
        found: dict[str, Any] = {"mean": float(means.mean())}
        found["deviation"] = float(means.std())
        widths = list(self._features.values())
        if name in self._reading and sum(widths) == len(means):
            each = np.split(means, np.cumsum(widths)[:-1])
            found["features"] = {
                feature: float(part.mean())
                for feature, part in zip(self._features, each, strict=True)
            }
        return found


_NO_TWIN = {"twin": None, "similarity": None}


class _Expert:
    """Sums over the outputs of an expert."""

    def __init__(self, width: int) -> None:
        self._rows = 0
        self._sums = np.zeros(width)
        self._products = np.zeros((width, width))
        self._zeros = np.zeros(width)
        self._near = 0

    def add(self, outputs: Array) -> None:
        x = outputs.astype(np.float64)
        self._rows += len(x)
        self._sums += x.sum(axis=0)
        self._products += x.T @ x
        self._zeros += (x == 0).sum(axis=0)
        self._near += int((np.abs(x) < NEAR_ZERO).sum())

    def result(self) -> dict[str, Any]:
        rows, width = self._rows, len(self._sums)
        means = self._sums / rows
        covariance = self._products / rows - np.outer(means, means)
        squares = float(np.trace(self._products)) / (rows * width)
        return {
            "mean": float(means.mean()),
            "variance": max(0.0, squares - float(means.mean()) ** 2),
            "zeros": float(self._zeros.sum() / (rows * width)),
            "near_zeros": self._near / (rows * width),
            "dead_dimensions": float((self._zeros > DEAD_DIMENSION * rows).mean()),
            "effective_rank": effective_rank(covariance),
        }


class _Bank:
    """Products of the outputs of experts side by side, for their similarity."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._rows = 0
        self._sums: Any = 0.0
        self._products: Any = 0.0

    def add(self, outputs: Array) -> None:
        flat = outputs.reshape(len(outputs), -1).astype(np.float64)
        self._rows += len(flat)
        self._sums = self._sums + flat.sum(axis=0)
        self._products = self._products + flat.T @ flat

    def twins(self) -> dict[str, dict[str, Any]]:
        """For each expert its most similar sibling, and how similar it is."""
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


class _Gate:
    """Sums over the weights of a gate, and over what the experts contribute by them."""

    def __init__(self, gate: Gate) -> None:
        self._names = [str(expert) for expert in gate.experts]
        self._task = gate.task
        self._rows = 0
        self._weights = np.zeros(len(self._names))
        self._squares = np.zeros(len(self._names))
        self._contributions = np.zeros(len(self._names))
        self._effective = 0.0

    def add(self, gate: Gate, norms: Mapping[str, Array]) -> None:
        weights = gate.weights.astype(np.float64)
        parts = weights * np.stack([norms[name] for name in self._names], axis=1)
        self._rows += len(weights)
        self._weights += weights.sum(axis=0)
        self._squares += (weights**2).sum(axis=0)
        self._contributions += _shares(parts, parts.sum(axis=1)).sum(axis=0)
        self._effective += float(effective_number(weights).sum())

    def result(self) -> dict[str, Any]:
        number, means = len(self._names), self._weights / self._rows
        deviations = np.sqrt(np.maximum(0.0, self._squares / self._rows - means**2))
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
            "dead_expert_fraction": float(
                (means < DEAD_EXPERT * means.sum() / number).mean()
            ),
            "weight_deviation": float(deviations.mean()),
        }


def effective_number(weights: Array) -> Array:
    """exp(H) of each row of weights, scaled to sum to 1: `(rows,)`."""
    shares = _shares(weights, weights.sum(axis=1))
    logs = np.log(np.where(shares > 0, shares, 1.0))
    found: Array = np.exp(-(shares * logs).sum(axis=1))
    return found


def effective_rank(covariance: Array) -> float:
    """exp(H) of the eigenvalues of a covariance, scaled to sum to 1; 0 of nothing."""
    values = np.maximum(np.linalg.eigvalsh(covariance), 0.0)
    return float(effective_number(values[None])[0]) if values.sum() > 0 else 0.0


def _shares(parts: Array, total: Array) -> Array:
    """Parts of a total, `(rows, n)`; 0 where that is 0."""
    nothing = np.zeros_like(parts, dtype=np.float64)
    found: Array = np.divide(
        parts, total[:, None], out=nothing, where=total[:, None] > 0
    )
    return found


def _use(gates: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """For each expert how its use divides over the gates that see it."""
    use: dict[str, dict[str, float]] = {}
    for gate, figures in gates.items():
        for expert, contribution in figures["contributions"].items():
            use.setdefault(expert, {})[gate] = contribution
    return {
        expert: {gate: value / total for gate, value in parts.items()}
        for expert, parts in use.items()
        if (total := sum(parts.values())) > 0
    }
