"""Figures of experts and gates, added up batch by batch.

`docs/guides/diagnosis.md` has every figure with its formula.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.diagnosis.expert_sums import BankSums, ExpertSums, shares_of
from home_tf.diagnosis.gate_sums import GateSums
from home_tf.diagnosis.inspection import Gate, Inspection
from home_tf.errors import HomeError

Array = npt.NDArray[Any]
_NO_TWIN = {"twin": None, "similarity": None}


class Figures:
    """The figures over all rows that were added.

    Args:
        features: `{feature: width}` in the order of the model's features, for figures
            of feature gates by feature.

    Examples:
        >>> figures = Figures()
        >>> for features in batches:
        ...     figures.add(inspector.read(features))
        >>> figures.result()["gates"]["task/inter/is_like"]["weights"]
    """

    def __init__(self, features: Mapping[str, int] | None = None) -> None:
        self._features = dict(features or {})
        self._rows = 0
        self._experts: dict[str, ExpertSums] = {}
        self._banks: dict[str, BankSums] = {}
        self._gates: dict[str, GateSums] = {}
        self._self_gates: dict[str, GateSums] = {}
        self._tasks: dict[str, dict[str, float]] = {}
        self._feature_gates: dict[str, Array] = {}
        self._effects: dict[str, float] = {}
        self._reading: set[str] = set()
        self._owners: dict[str, str] = {}

    def add(self, found: Inspection) -> None:
        """Adds rows.

        Raises:
            HomeError: If an output of an expert is NaN or infinite.
        """
        for name, outputs in found.experts.items():
            if not np.isfinite(outputs).all():
                raise HomeError(
                    f"expert {name}: some of its outputs are NaN or infinite. Train "
                    "the model again, with a smaller learning rate"
                )
        self._rows += len(next(iter(found.experts.values())))
        self._owners |= found.owners
        for name, outputs in found.experts.items():
            sums = self._experts.setdefault(name, ExpertSums(outputs.shape[1]))
            sums.add(outputs, found.gradients.get(name))
        for names in found.banks:
            bank = self._banks.setdefault(names[0], BankSums(names))
            bank.add(np.stack([found.experts[name] for name in names], axis=1))
        norms = {n: np.linalg.norm(x, axis=1) for n, x in found.experts.items()}
        for gates, added in (
            (found.gates, self._gates),
            (found.self_gates, self._self_gates),
        ):
            for name, gate in gates.items():
                added.setdefault(name, GateSums(gate)).add(gate, norms)
        for name, gate in found.gates.items():
            if gate.task is not None:
                self._add_task(name, gate, found.self_gates.get(name), norms)
        for name, values in found.feature_gates.items():
            x = values.astype(np.float64)
            self._feature_gates[name] = self._feature_gates.get(name, 0) + x.sum(axis=0)
            changes = float(((x - 1.0) ** 2).mean(axis=1).sum())
            self._effects[name] = self._effects.get(name, 0.0) + changes
        self._reading |= set(found.reading_features)

    def _add_task(
        self, name: str, gate: Gate, self_gate: Gate | None, norms: Mapping[str, Array]
    ) -> None:
        """Adds the sources of a task's representation: whose experts it comes from."""
        masses = {"shared": 0.0, "group": 0.0, "task": 0.0}
        parts = {owner: np.zeros(len(gate.weights)) for owner in masses}
        for one in (gate, self_gate):
            for k, expert in enumerate(one.experts if one else ()):
                weight = one.weights[:, k] if one else 0.0
                parts[expert.owner] += weight * norms[str(expert)]
        total = np.sum(list(parts.values()), axis=0)
        sums = self._tasks.setdefault(str(gate.task), masses)
        for owner, part in parts.items():
            sums[owner] += float(shares_of(part[:, None], total)[:, 0].sum())

    def result(self) -> dict[str, Any]:
        """Returns the figures as JSON values.

        Returns:
            `rows`; `experts`, `use`, `gates`, `self_gates`, `tasks` and
            `feature_gates`, each a dict by name.

        Raises:
            ValueError: If no rows were added.
        """
        if not self._rows:
            raise ValueError("there are no figures yet: call `add` first")
        twins = {n: t for bank in self._banks.values() for n, t in bank.twins().items()}
        gates = {name: gate.result() for name, gate in self._gates.items()}
        return {
            "rows": self._rows,
            "experts": {
                name: {
                    "owner": self._owners.get(name),
                    **expert.result(),
                    **twins.get(name, _NO_TWIN),
                }
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
        found["effect"] = (self._effects[name] / self._rows) ** 0.5
        widths = list(self._features.values())
        if name in self._reading and sum(widths) == len(means):
            each = np.split(means, np.cumsum(widths)[:-1])
            found["features"] = {
                feature: float(part.mean())
                for feature, part in zip(self._features, each, strict=True)
            }
        return found


def _use(gates: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Returns for each expert how its use is divided among the gates that see it."""
    use: dict[str, dict[str, float]] = {}
    for gate, figures in gates.items():
        for expert, contribution in figures["contributions"].items():
            use.setdefault(expert, {})[gate] = contribution
    return {
        expert: {gate: value / total for gate, value in parts.items()}
        for expert, parts in use.items()
        if (total := sum(parts.values())) > 0
    }
