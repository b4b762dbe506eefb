"""The figures of a whole model in a few numbers, to set models side by side."""

from collections.abc import Mapping
from typing import Any


def summarize(figures: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that tell ill experts and gates from healthy ones.

    Args:
        figures: What `Figures.result` returns.

    Returns:
        `{what it is: number}`; of a model without gates none of gates.
    """
    experts, gates = figures["experts"].values(), figures["gates"].values()
    deviations = [one["variance"] ** 0.5 for one in experts]
    similar = [one["similarity"] for one in experts if one["similarity"] is not None]
    found = {
        "experts": len(experts),
        "most dead dimensions of an expert": _most(experts, "dead_dimensions"),
        "mean share of zeros": _mean(experts, "zeros"),
        "lowest effective rank": min(one["effective_rank"] for one in experts),
        "largest SD over smallest": max(deviations) / max(min(deviations), 1e-12),
    }
    if similar:
        found["largest similarity of twins"] = max(similar)
    if gates:
        found |= {
            "mean share of experts that a gate uses": _mean(gates, "effective_experts"),
            "largest mean weight": _most(gates, "largest_weight"),
            "largest contribution": max(
                max(one["contributions"].values()) for one in gates
            ),
            "mean share of dead experts": _mean(gates, "dead_expert_fraction"),
            "lowest deviation of a gate": min(one["weight_deviation"] for one in gates),
        }
    return found


def _most(figures: Any, name: str) -> float:
    return float(max(one[name] for one in figures))


def _mean(figures: Any, name: str) -> float:
    values = [one[name] for one in figures]
    return float(sum(values) / len(values))
