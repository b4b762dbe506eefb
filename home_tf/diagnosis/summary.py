"""The figures of a whole model in a few numbers, to set models side by side."""

from collections.abc import Iterable, Mapping
from typing import Any

from home_tf.diagnosis.verdicts import judged_values

# What each of the judged figures is called, and which end of its values is the worst.
_WORST = {
    "dead_dimensions": ("most dead dimensions of an expert", max),
    "similarity": ("largest similarity of siblings", max),
    "shared_contribution": ("largest contribution of a shared expert", max),
    "input_dependence": ("lowest input dependence of a gate", min),
    "monopoly": ("largest monopoly of a shared expert", max),
    "own_mass": ("lowest own mass of a task, of an even share", min),
    "effect": ("lowest effect of a feature gate", min),
}


def summarize(figures: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that tell ill experts and gates from healthy ones.

    Args:
        figures: What `Figures.result` returns.

    Returns:
        `{what it is: number}`; none of what the architecture does not have.
    """
    experts, gates = figures["experts"].values(), figures["gates"].values()
    deviations = [one["variance"] ** 0.5 for one in experts]
    found = {
        "experts": len(experts),
        "mean share of zeros": _mean(one["zeros"] for one in experts),
        "lowest effective rank": min(one["effective_rank"] for one in experts),
        "largest SD over smallest": max(deviations) / max(min(deviations), 1e-12),
    }
    if gates:
        found |= {
            "mean effective experts of a gate": _mean(
                one["effective_experts"] for one in gates
            ),
            "largest mean weight": max(one["largest_weight"] for one in gates),
            "mean share of dead experts": _mean(
                one["dead_expert_fraction"] for one in gates
            ),
        }
    for figure, values in judged_values(figures).items():
        if values:
            name, worst = _WORST[figure]
            found[name] = worst(values.values())
    return found


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return float(sum(found) / len(found))
