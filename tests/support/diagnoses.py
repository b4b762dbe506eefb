"""Diagnoses as `diagnose_run` returns them, with made-up figures."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from home_tf.diagnosis.monitor import curves_of
from home_tf.diagnosis.verdicts import judge

SHARES = ("1", "5", "25", "50", "75", "95", "99")


def make_diagnosis(
    *,
    architecture: str = "home",
    tasks: int = 4,
    experts: int = 10,
    features: int = 6,
    measurements: int = 5,
    importance: int = 0,
    seed: int = 0,
) -> dict[str, Any]:
    """A diagnosis of a run.

    Args:
        architecture: `home`, whose gates see some of the experts, or `mmoe`, whose
            gates see all.
        tasks: Number of tasks, in two groups.
        experts: Number of experts, one of each task among them for `home`.
        features: Number of features.
        measurements: How often the training was measured.
        importance: Number of features whose importance was measured; 0 for none.
        seed: Of the figures.
    """
    random = np.random.default_rng(seed)
    names = [f"task_{number}" for number in range(tasks)]
    groups = {"watch": names[::2], "inter": names[1::2]}
    figures = _figures(random, architecture, groups, experts, features)
    found = {
        "format": "home_tf.diagnostics",
        "version": 1,
        "run": architecture,
        "architecture": architecture,
        "seed": seed,
        "split": "validation",
        "task_groups": groups,
        **figures,
        "verdicts": [verdict.to_json() for verdict in judge(figures)],
        "metrics": _metrics(random, names),
        "calibration_curves": {name: _calibration(random) for name in names},
        "curves": [
            {
                "step": 10 * step,
                "values": dict(
                    curves_of(_figures(random, architecture, groups, experts, features))
                ),
            }
            for step in range(measurements)
        ],
    }
    if importance:
        found["importance"] = {
            f"feature_{number}": _losses(random, names) for number in range(importance)
        }
    return found


def _figures(
    random: np.random.Generator,
    architecture: str,
    groups: dict[str, list[str]],
    experts: int,
    features: int,
) -> dict[str, Any]:
    owners = dict(_owners(architecture, groups, experts))
    gates = {
        f"task/{group}/{task}": _gate(random, task, _seen(owners, group, task))
        for group, tasks in groups.items()
        for task in tasks
    }
    is_home = architecture == "home"
    return {
        "rows": 12345,
        "experts": {
            name: _expert(random, owner, list(owners)) for name, owner in owners.items()
        },
        "use": {name: {gate: 1 / len(gates) for gate in gates} for name in owners},
        "gates": gates,
        "self_gates": {},
        "tasks": {
            task: dict(
                zip(
                    ("shared", "group", "task"),
                    random.dirichlet([1, 1, 1]),
                    strict=True,
                )
            )
            for tasks in groups.values()
            for task in tasks
        },
        "feature_gates": {
            name: _feature_gate(random, features) for name in groups if is_home
        },
    }


def _owners(
    architecture: str, groups: dict[str, list[str]], experts: int
) -> Iterator[tuple[str, str]]:
    own = [f"task/{g}/{t}/0" for g, tasks in groups.items() for t in tasks]
    own = own if architecture == "home" else []
    for number in range(experts - len(own)):
        is_group = bool(own) and number % 3 == 2
        place = list(groups)[number % 2] if is_group else "shared"
        yield f"task/{place}/{number}", "group" if is_group else "shared"
    yield from ((name, "task") for name in own)


def _seen(owners: dict[str, str], group: str, task: str) -> list[str]:
    starts = ("task/shared/", f"task/{group}/{task}/")
    return [
        name
        for name, owner in owners.items()
        if name.startswith(starts) or (owner == "group" and f"/{group}/" in name)
    ]


def _expert(
    random: np.random.Generator, owner: str, names: list[str]
) -> dict[str, Any]:
    values = np.sort(random.normal(size=len(SHARES)))
    return {
        "owner": owner,
        "mean": float(values.mean()),
        "variance": float(random.uniform(0.1, 2)),
        "quantiles": dict(zip(SHARES, values.tolist(), strict=True)),
        "zeros": float(random.uniform(0, 0.5)),
        "near_zeros": float(random.uniform(0.5, 0.6)),
        "dead_dimensions": float(random.uniform(0, 0.15)),
        "effective_rank": float(random.uniform(1, 30)),
        "gradient_norm": float(random.uniform(0, 0.1)),
        "twin": names[0],
        "similarity": float(random.uniform(0, 0.9)),
    }


def _gate(random: np.random.Generator, task: str, seen: list[str]) -> dict[str, Any]:
    weights, contributions = random.dirichlet([0.5] * len(seen), size=2)
    largest = int(weights.argmax())
    return {
        "task": task,
        "weights": dict(zip(seen, weights.tolist(), strict=True)),
        "contributions": dict(zip(seen, contributions.tolist(), strict=True)),
        "effective_experts": float(random.uniform(0.2, 0.9)),
        "expert_utilization": float(random.uniform(0.2, 0.9)),
        "largest_weight": float(weights[largest]),
        "largest_expert": seen[largest],
        "load_balance_cv": float(random.uniform(0, 2)),
        "unused_expert_fraction": float(random.uniform(0, 0.2)),
        "input_dependence": float(random.uniform(0, 0.2)),
    }


def _feature_gate(random: np.random.Generator, features: int) -> dict[str, Any]:
    means = random.normal(1, 0.1, features)
    return {
        "mean": float(means.mean()),
        "deviation": float(means.std()),
        "effect": float(random.uniform(0, 0.3)),
        "features": {f"feature_{i}": float(x) for i, x in enumerate(means)},
    }


def _metrics(random: np.random.Generator, names: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for metric in ("auc", "gauc"):
        values = random.uniform(0.55, 0.9, len(names))
        found[metric] = dict(zip(names, values.tolist(), strict=True))
        found[f"{metric}_interval"] = {
            name: [value - 0.02, value + 0.02] for name, value in found[metric].items()
        }
        found[f"mean_{metric}"] = float(values.mean())
    found["log_loss"] = dict.fromkeys(names, 0.31)
    found["calibration"] = dict.fromkeys(names, 1.02)
    found["examples"] = dict.fromkeys(names, 12345)
    found["positives"] = dict.fromkeys(names, 678)
    return found


def _calibration(random: np.random.Generator) -> list[dict[str, float]]:
    rates = np.sort(random.uniform(0.001, 0.3, 10))
    return [
        {
            "rows": 1234,
            "predicted": rate,
            "observed": rate * 1.1,
            "low": rate * 0.9,
            "high": rate * 1.3,
        }
        for rate in rates.tolist()
    ]


def _losses(random: np.random.Generator, names: list[str]) -> dict[str, Any]:
    values = random.uniform(0, 0.05, len(names)).tolist()
    losses = {
        name: {"loss": loss, "low": loss - 0.005, "high": loss + 0.005}
        for name, loss in zip(names, values, strict=True)
    }
    return {"auc": losses, "gauc": {**losses, names[0]: None}}
