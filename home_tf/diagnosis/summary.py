"""A model's figures in a few numbers, for comparing models side by side."""

from collections.abc import Iterable, Mapping
from typing import Any

from home_tf.diagnosis.verdicts import LOW_IS_WORSE, judged_values

# The names of the worst value of each judged figure.
_WORST = {
    "dead_dimensions": "most dead dimensions of an expert",
    "similarity": "largest similarity of siblings",
    "shared_contribution": "largest contribution of a shared expert",
    "input_dependence": "lowest input dependence of a gate",
    "monopoly": "largest monopoly of a shared expert",
    "own_mass": "lowest own mass of a task, of an even share",
    "effect": "lowest effect of a feature gate",
}


def summarize(figures: Mapping[str, Any]) -> dict[str, float]:
    """Computes the numbers that tell healthy experts and gates from others.

    Args:
        figures: What `Figures.result` returns.

    Returns:
        `{name: number}`, without those that do not apply to the architecture.
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
            "mean share of unused experts": _mean(
                one["unused_expert_fraction"] for one in gates
            ),
        }
    for figure, values in judged_values(figures).items():
        if values:
            worst = min if figure in LOW_IS_WORSE else max
            found[_WORST[figure]] = worst(values.values())
    return found


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return float(sum(found) / len(found))
