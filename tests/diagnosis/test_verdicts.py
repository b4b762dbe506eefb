"""Ill models are caught, and healthy ones are not."""

import json
import zlib

import numpy as np
import pytest

from home_tf.diagnosis import Figures, inspect, judge
from home_tf.diagnosis.verdicts import THRESHOLDS, judged_values
from home_tf.layers import CGC, Expert, HoME, MMoE, SharedBottom

GROUPS = {"watch": ["long_view", "finish"], "inter": ["click"]}
V = np.random.default_rng(1).normal(size=(500, 6)).astype(np.float32)
D = 16
KINDS = [
    "collapse",
    "degradation",
    "underfitting",
    "twin_experts",
    "dead_feature_gate",
    "constant_gate",
]


def made(kind, **arguments):
    experts = {HoME: Expert.home, CGC: Expert.relu, MMoE: Expert.relu}
    expert = experts.get(kind, Expert.relu)(units=(32, D))
    layer = kind(GROUPS, expert=expert, name="layer", **arguments)
    layer(V)
    for weight in layer.weights:
        path = path_of(weight)
        # The same in both Kerases, which list the weights in other orders.
        random = np.random.default_rng([2, zlib.crc32(path.encode())])
        value = random.normal(0, 1 / np.sqrt(weight.shape[0]), weight.shape)
        # Gates that have learnt something: they tell one row from another.
        if "gates/kernel" in path or "feature_gates/up" in path:
            value *= 3.0
        weight.assign(np.abs(value) + 0.5 if "variance" in path else value)
    return layer


def path_of(weight):
    return getattr(weight, "path", weight.name).removesuffix(":0")


def weight_of(layer, path):
    (found,) = [w for w in layer.weights if path_of(w).endswith(path)]
    return found


def change(layer, path, part, value):
    weight = weight_of(layer, path)
    values = np.array(weight)
    values[part] = value
    weight.assign(values)


def figures_of(layer):
    figures = Figures()
    figures.add(inspect(layer, V))
    return figures.result()


def verdicts_of(layer):
    return {verdict.kind: verdict for verdict in judge(figures_of(layer))}


@pytest.mark.parametrize("kind", [HoME, CGC, MMoE])
def test_a_healthy_model_has_no_anomaly(kind):
    """Each has experts and gates with random weights, none of them at rest."""
    found = verdicts_of(made(kind))
    assert list(found) == KINDS
    assert [one.sentence for one in found.values() if one.is_found] == []
    assert found["collapse"].checked > 0
    assert (found["dead_feature_gate"].checked > 0) == (kind is HoME)


def test_dead_experts_are_a_collapse():
    layer = made(MMoE, num_experts=3)
    # A quarter of the second expert's outputs is far below zero for every row.
    change(layer, "experts/bias_1", slice(D, D + D // 4), -1e3)
    (case,) = verdicts_of(layer)["collapse"].cases
    assert (case.subject, case.figure) == ("shared/1", "dead_dimensions")
    assert case.value == 0.25
    assert case.threshold == THRESHOLDS["dead_dimensions"]


def test_a_gate_that_takes_one_shared_expert_is_a_collapse():
    layer = made(MMoE, num_experts=3)
    # The last task's gate over three experts.
    change(layer, "gates/bias_0", slice(6, 9), [0.0, 30.0, 0.0])
    verdicts = verdicts_of(layer)
    found = verdicts["collapse"]
    assert [case.subject for case in found.cases] == ["click"]
    assert found.cases[0].value == pytest.approx(1.0, abs=1e-3)
    assert found.sentence == (
        "1 of 3 gates take nearly all from one shared expert: click 100%"
    )
    # It has nothing to vary, and is not judged twice.
    assert not verdicts["constant_gate"].is_found
    assert verdicts["constant_gate"].checked == 2


def test_a_task_that_takes_its_own_expert_alone_has_not_collapsed():
    layer = made(CGC, num_shared_experts=2, num_task_experts=1)
    names = [str(e) for e in inspect(layer, V).gates["click"].experts]
    biases = [30.0 if name.startswith("click") else 0.0 for name in names]
    change(layer, "gates/bias_0", slice(6, 9), biases)
    assert figures_of(layer)["gates"]["click"]["largest_weight"] > 0.99
    assert not any(verdict.is_found for verdict in verdicts_of(layer).values())


def test_a_shared_expert_that_one_task_takes_is_a_degradation():
    layer = made(MMoE, num_experts=3)
    bias = np.zeros(9)
    bias[[0, 3, 8]] = -9.0  # only `click` sees shared/0, and does not see shared/2
    change(layer, "gates/bias_0", slice(0, 9), bias)
    found = verdicts_of(layer)["degradation"]
    assert found.cases[0].subject == "shared/0 by click"
    assert found.cases[0].value > 0.9


def test_a_monopoly_is_0_of_even_shares_and_1_of_one_task():
    def monopoly(**use):
        figures = figures_of(made(MMoE, num_experts=3))
        return judged_values({**figures, "use": {"shared/0": use}})["monopoly"]

    alike = monopoly(long_view=1 / 3, finish=1 / 3, click=1 / 3)
    assert list(alike.values()) == pytest.approx([0.0])
    assert monopoly(long_view=0.0, finish=0.0, click=1.0) == {"shared/0 by click": 1.0}
    # Between two tasks, one of them always has half.
    two = monopoly(long_view=0.25, finish=0.75)
    assert two == pytest.approx({"shared/0 by finish": 0.5})


def test_a_task_that_ignores_its_experts_underfits():
    layer = made(CGC, num_shared_experts=2, num_task_experts=1)
    names = [str(e) for e in inspect(layer, V).gates["click"].experts]
    biases = [-9.0 if name.startswith("click") else 0.0 for name in names]
    change(layer, "gates/bias_0", slice(6, 9), biases)
    found = verdicts_of(layer)["underfitting"]
    assert [case.subject for case in found.cases] == ["click"]
    assert found.cases[0].value < 0.1


def test_the_self_gate_counts_for_what_a_task_takes_from_its_own_experts():
    layer = made(HoME)
    # Gates see two shared experts, two of the group and one of the task.
    change(layer, "task/inter/gates/bias_0", slice(0, 5), [0, 0, 0, 0, -9.0])
    change(layer, "task/inter/self_gates/bias_0", slice(0, 1), [9.0])
    assert not verdicts_of(layer)["underfitting"].is_found
    change(layer, "task/inter/self_gates/bias_0", slice(0, 1), [-9.0])
    assert [c.subject for c in verdicts_of(layer)["underfitting"].cases] == ["click"]


def test_experts_that_say_the_same_are_twins():
    layer = made(MMoE, num_experts=3)
    for path, width in (("0", 32), ("1", D)):
        for kind in ("kernel", "bias"):
            first = np.array(weight_of(layer, f"experts/{kind}_{path}"))[..., :width]
            part = (..., slice(2 * width, 3 * width))
            change(layer, f"experts/{kind}_{path}", part, first)
    found = verdicts_of(layer)["twin_experts"]
    assert {case.subject for case in found.cases} == {"shared/0", "shared/2"}
    assert "shared/0 and shared/2, similarity 1.00" in found.sentence


def test_a_feature_gate_that_changes_nothing_is_dead():
    layer = made(HoME)
    change(layer, "task/inter/feature_gates/up", ..., 0.0)  # as at the start
    cases = verdicts_of(layer)["dead_feature_gate"].cases
    assert {case.subject for case in cases} == {"task/inter", "task/inter/click"}
    assert [case.value for case in cases] == pytest.approx([0.0, 0.0], abs=1e-6)


def test_a_gate_that_ignores_its_input_is_constant():
    layer = made(MMoE, num_experts=3)
    change(layer, "gates/kernel_0", (slice(None), slice(0, 3)), 0.0)
    found = verdicts_of(layer)["constant_gate"]
    assert [case.subject for case in found.cases] == ["long_view"]


def test_what_an_architecture_does_not_have_is_not_judged():
    layer = SharedBottom(GROUPS)
    layer(V)
    found = verdicts_of(layer)
    assert [one.kind for one in found.values() if one.checked] == ["collapse"]
    assert found["underfitting"].sentence == "The architecture has no experts of tasks"


def test_a_verdict_is_json():
    layer = made(MMoE, num_experts=3)
    change(layer, "experts/bias_1", slice(0, D), -1e3)
    (verdict, *_) = judge(figures_of(layer))
    found = json.loads(json.dumps(verdict.to_json()))
    assert found["found"] is True
    assert found["cases"][0] == {
        "subject": "shared/0",
        "figure": "dead_dimensions",
        "value": 1.0,
        "threshold": THRESHOLDS["dead_dimensions"],
    }
    assert "batch_norm: true" in found["advice"]


def test_every_threshold_is_held_against_something():
    assert set(judged_values(figures_of(made(HoME)))) == set(THRESHOLDS)
