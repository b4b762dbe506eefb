"""The numbers that set models side by side, from figures made by hand."""

import pytest

from home_tf.diagnosis.summary import summarize

EXPERT = {
    "owner": "shared",
    "variance": 4.0,
    "zeros": 0.2,
    "dead_dimensions": 0.1,
    "effective_rank": 5.0,
    "similarity": None,
}
GATE = {
    "task": "click",
    "weights": {"a": 0.6, "b": 0.4},
    "effective_experts": 0.8,
    "largest_weight": 0.4,
    "contributions": {"a": 0.3, "b": 0.7},
    "unused_expert_fraction": 0.0,
    "input_dependence": 0.1,
}
NOTHING = {"use": {}, "self_gates": {}, "tasks": {}, "feature_gates": {}}


def test_the_numbers_of_a_model():
    ill = {**EXPERT, "variance": 1e-4, "zeros": 0.6, "dead_dimensions": 0.9}
    ill |= {"effective_rank": 1.5, "similarity": 0.99, "owner": "task"}
    taken = {**GATE, "effective_experts": 0.2, "largest_weight": 0.98, "task": "like"}
    taken |= {"contributions": {"a": 0.95, "b": 0.05}, "input_dependence": 0.0}
    taken |= {"unused_expert_fraction": 0.5}
    found = summarize(
        {
            **NOTHING,
            "experts": {"a": EXPERT, "b": ill},
            "use": {"a": {"click": 0.24, "like": 0.76}},
            "gates": {"click": GATE, "like": taken},
            "tasks": {"click": {"task": 0.7}, "like": {"task": 0.05}},
            "feature_gates": {"x": {"effect": 0.2}, "y": {"effect": 0.1}},
        }
    )
    assert found == {
        "experts": 2,
        "most dead dimensions of an expert": 0.9,
        "mean share of zeros": pytest.approx(0.4),
        "lowest effective rank": 1.5,
        "largest SD over smallest": pytest.approx(200.0),
        "largest similarity of siblings": 0.99,
        "mean effective experts of a gate": 0.5,
        "largest mean weight": 0.98,
        "largest contribution of a shared expert": 0.95,
        "mean share of unused experts": 0.25,
        # Of those that mix experts, which the second one does not.
        "lowest input dependence of a gate": 0.1,
        # 0.76 of two tasks, of which an even share is 0.5.
        "largest monopoly of a shared expert": pytest.approx(0.52),
        # A half would be even.
        "lowest own mass of a task, of an even share": pytest.approx(0.1),
        "lowest effect of a feature gate": 0.1,
    }


def test_a_model_without_gates_has_none_of_gates():
    found = summarize({**NOTHING, "experts": {"a": EXPERT}, "gates": {}})
    assert "largest mean weight" not in found
    assert "largest monopoly of a shared expert" not in found
    assert found["largest SD over smallest"] == 1.0
