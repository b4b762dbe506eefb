"""Verdicts on experts and gates, each with its threshold and what to try next."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

# From measured runs, which docs/guides/diagnosis.md names for each of these.
THRESHOLDS = {
    "dead_dimensions": 0.1,
    "shared_contribution": 0.95,
    "monopoly": 0.5,
    "own_mass": 0.25,
    "similarity": 0.95,
    "effect": 0.05,
    "input_dependence": 0.01,
}
# Anomalies if below their threshold; the others if at or above it.
LOW_IS_WORSE = ("own_mass", "effect", "input_dependence")


@dataclass(frozen=True)
class Case:
    """One expert, gate or task with an anomaly.

    Attributes:
        subject: Its name.
        figure: The figure that shows it, a key of `THRESHOLDS`.
        value: The figure's value.
        threshold: The threshold that the value is beyond.
    """

    subject: str
    figure: str
    value: float
    threshold: float


@dataclass(frozen=True)
class Verdict:
    """Whether a model has an anomaly.

    Attributes:
        kind: `collapse`, `degradation`, `underfitting`, `twin_experts`,
            `dead_feature_gate` or `constant_gate`.
        cases: Where it was found, the worst first; empty if it was not found.
        checked: Number of experts, gates or tasks that were checked; 0 if it does not
            apply to the architecture.
        sentence: The finding in a sentence.
        advice: What to try next, by its name in the configuration.
    """

    kind: str
    cases: Sequence[Case]
    checked: int
    sentence: str
    advice: str

    @property
    def is_found(self) -> bool:
        """Whether the model has the anomaly."""
        return bool(self.cases)

    def to_json(self) -> dict[str, Any]:
        """The verdict as it is stored in `diagnostics.json`."""
        return {"found": self.is_found, **asdict(self)}


def judge(figures: Mapping[str, Any]) -> list[Verdict]:
    """Judges the figures of a model.

    Args:
        figures: What `Figures.result` returns.

    Returns:
        A verdict for each anomaly, found or not, always in the same order.

    Examples:
        >>> for verdict in judge(figures.result()):
        ...     print(verdict.sentence)
    """
    values = judged_values(figures)
    return [
        _collapse(values),
        _degradation(values),
        _underfitting(values),
        _twin_experts(values, figures["experts"]),
        _dead_feature_gate(values),
        _constant_gate(values),
    ]


def judged_values(figures: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Finds the values to compare with each of the `THRESHOLDS`.

    Args:
        figures: What `Figures.result` returns.

    Returns:
        For each of them `{subject: value}`; empty if the architecture has none.
    """
    experts, gates = figures["experts"], figures["feature_gates"]
    choices = {n: g for n, g in figures["gates"].items() if len(g["weights"]) > 1}
    shared = {name for name, one in experts.items() if one["owner"] == "shared"}
    similarities = _each(experts, "similarity")
    return {
        "dead_dimensions": _each(experts, "dead_dimensions"),
        "shared_contribution": {
            name: max(gate["contributions"][one] for one in seen)
            for name, gate in choices.items()
            if (seen := shared & set(gate["weights"]))
        },
        "monopoly": _monopolies(figures),
        "own_mass": _own_masses(figures),
        "similarity": {n: s for n, s in similarities.items() if s is not None},
        "effect": _each(gates, "effect"),
        # A gate with a single expert has nothing to vary.
        "input_dependence": {
            name: gate["input_dependence"]
            for name, gate in choices.items()
            if max(gate["contributions"].values()) < THRESHOLDS["shared_contribution"]
        },
    }


def _each(figures: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {subject: one[name] for subject, one in figures.items()}


def _monopolies(figures: Mapping[str, Any]) -> dict[str, float]:
    """Measures how far one task has a shared expert to itself, by expert and task.

    It is 0 if all tasks use it equally, and 1 if only one does.
    """
    tasks = {name: gate["task"] for name, gate in figures["gates"].items()}
    found = {}
    for expert, use in figures["use"].items():
        shares = {tasks[gate]: use[gate] for gate in use if tasks[gate] is not None}
        if figures["experts"][expert]["owner"] == "shared" and len(shares) > 1:
            task = max(shares, key=shares.__getitem__)
            even = 1.0 / len(shares)
            largest = shares[task] / sum(shares.values())
            found[f"{expert} by {task}"] = (largest - even) / (1.0 - even)
    return found


def _own_masses(figures: Mapping[str, Any]) -> dict[str, float]:
    """Measures what a task takes from its own experts, relative to an even share."""
    found = {}
    for name, gate in figures["gates"].items():
        self_gate = figures["self_gates"].get(name, {"weights": {}})
        seen = [*gate["weights"], *self_gate["weights"]]
        owners = [figures["experts"][one]["owner"] for one in seen]
        own = owners.count("task") / len(owners)
        if gate["task"] is not None and 0 < own < 1:
            found[gate["task"]] = figures["tasks"][gate["task"]]["task"] / own
    return found


def _collapse(values: Mapping[str, Mapping[str, float]]) -> Verdict:
    """Finds dead outputs, and gates that use only one shared expert (eq. 4, 5).

    A gate that takes nearly everything from the task's own experts has not collapsed:
    the task just has nothing to gain from the others.
    """
    experts, gates = values["dead_dimensions"], values["shared_contribution"]
    dead = _find_cases("dead_dimensions", experts)
    taken = _find_cases("shared_contribution", gates)
    found = []
    if dead:
        found.append(
            f"{len(dead)} of {len(experts)} experts have dead dimensions: "
            f"{dead[0].subject} outputs only zeros in {dead[0].value:.0%} of its own"
        )
    if taken:
        found.append(
            f"{len(taken)} of {len(gates)} gates take nearly all from one shared "
            f"expert: {taken[0].subject} {taken[0].value:.0%}"
        )
    return Verdict(
        kind="collapse",
        cases=[*dead, *taken],
        checked=len(experts) + len(gates),
        sentence="; ".join(found) or "No expert has collapsed",
        advice="BatchNorm and Swish (`batch_norm: true, activation: swish` below "
        "`model.architecture.expert`) keep outputs alive and of one scale. Where they "
        "are there already, a smaller `training.learning_rate`, or fewer experts",
    )


def _degradation(values: Mapping[str, Mapping[str, float]]) -> Verdict:
    """Finds shared experts that one task has to itself (eq. 6)."""
    return _judge_figure(
        "degradation",
        "monopoly",
        values,
        found=lambda worst: (
            f"shared experts serve mostly one task: {worst.subject}, "
            f"a monopoly of {worst.value:.0%}"
        ),
        healthy="The tasks share the shared experts",
        missing="experts that tasks share",
        advice="`model.architecture.type: home` gives each task group experts of its "
        "own behind `hierarchy_mask: true`; check the `group` of the tasks, or raise "
        "`num_task_experts`",
    )


def _underfitting(values: Mapping[str, Mapping[str, float]]) -> Verdict:
    """Finds tasks that ignore their own experts (eq. 8-11)."""
    return _judge_figure(
        "underfitting",
        "own_mass",
        values,
        found=lambda worst: (
            f"tasks ignore their own experts: {worst.subject} takes "
            f"{worst.value:.0%} of an even share from them"
        ),
        healthy="Every task uses its own experts",
        missing="experts of tasks",
        advice="`feature_gate: both` and `self_gate: both` of "
        "`model.architecture.type: home` give a sparse task's experts inputs and "
        "gradients of their own",
    )


def _twin_experts(
    values: Mapping[str, Mapping[str, float]], experts: Mapping[str, Any]
) -> Verdict:
    """Finds experts whose outputs are nearly the same."""
    return _judge_figure(
        "twin_experts",
        "similarity",
        values,
        found=lambda worst: (
            f"experts nearly duplicate a sibling: {worst.subject} and "
            f"{experts[worst.subject]['twin']}, similarity {worst.value:.2f}"
        ),
        healthy="No two experts are near duplicates",
        missing="siblings",
        advice="Fewer experts do as well: lower `num_shared_experts`, "
        "`num_group_experts`, `num_task_experts` or `num_experts`. Or "
        "`feature_gate_scope: expert`, which gives each an input of its own",
    )


def _dead_feature_gate(values: Mapping[str, Mapping[str, float]]) -> Verdict:
    """Finds feature gates that barely change their input (eq. 8-10)."""
    return _judge_figure(
        "dead_feature_gate",
        "effect",
        values,
        found=lambda worst: (
            f"feature gates barely change their input: {worst.subject} "
            f"changes it by {worst.value:.1%}"
        ),
        healthy="Every feature gate changes its input",
        missing="feature gates",
        advice="For gates of the task level `feature_gate: meta`, which saves their "
        "time; for those of the meta level longer training or a higher `lora_rank`",
    )


def _constant_gate(values: Mapping[str, Mapping[str, float]]) -> Verdict:
    """Finds gates with the same weights whatever their input."""
    return _judge_figure(
        "constant_gate",
        "input_dependence",
        values,
        found=lambda worst: (
            f"gates ignore their input: {worst.subject} varies by "
            f"{worst.value:.1%} of what it could"
        ),
        healthy="Every gate depends on its input",
        missing="gates that mix experts",
        advice="A higher `training.learning_rate`, or hidden layers in the gates by "
        "`model.architecture.gate_units: [32]`. If neither helps, these tasks want the "
        "same mixture for every row",
    )


def _judge_figure(
    kind: str,
    figure: str,
    values: Mapping[str, Mapping[str, float]],
    *,
    found: Callable[[Case], str],
    healthy: str,
    missing: str,
    advice: str,
) -> Verdict:
    """Makes the verdict on an anomaly that a single figure shows."""
    checked = values[figure]
    cases = _find_cases(figure, checked)
    if cases:
        sentence = f"{len(cases)} of {len(checked)} {found(cases[0])}"
    else:
        sentence = healthy if checked else f"The architecture has no {missing}"
    return Verdict(kind, cases, len(checked), sentence, advice)


def _find_cases(figure: str, values: Mapping[str, float]) -> list[Case]:
    """Finds the cases beyond a threshold, the worst first."""
    limit, low = THRESHOLDS[figure], figure in LOW_IS_WORSE
    found = [
        Case(subject, figure, value, limit)
        for subject, value in values.items()
        if (value < limit if low else value >= limit)
    ]
    return sorted(found, key=lambda case: case.value, reverse=not low)
