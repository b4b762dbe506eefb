"""The numbers that set models side by side, from figures made by hand."""

import pytest

from home_tf.diagnosis.summary import summarize

EXPERT = {
    "variance": 4.0,
    "zeros": 0.2,
    "dead_dimensions": 0.1,
    "effective_rank": 5.0,
    "similarity": None,
}
GATE = {
    "effective_experts": 0.8,
    "largest_weight": 0.4,
    "contributions": {"a": 0.3, "b": 0.7},
    "dead_expert_fraction": 0.0,
    "weight_deviation": 0.1,
}


def test_the_numbers_of_a_model():
    ill = {**EXPERT, "variance": 1e-4, "zeros": 0.6, "dead_dimensions": 0.9}
    ill |= {"effective_rank": 1.5, "similarity": 0.99}
    monopoly = {**GATE, "effective_experts": 0.2, "largest_weight": 0.98}
    monopoly |= {"contributions": {"a": 0.95, "b": 0.05}, "weight_deviation": 0.0}
    monopoly |= {"dead_expert_fraction": 0.5}
    found = summarize(
        {
            "experts": {"a": EXPERT, "b": ill},
            "gates": {"click": GATE, "like": monopoly},
        }
    )
    assert found == {
        "experts": 2,
        "most dead dimensions of an expert": 0.9,
        "mean share of zeros": pytest.approx(0.4),
        "lowest effective rank": 1.5,
        "largest SD over smallest": pytest.approx(200.0),
        "largest similarity of twins": 0.99,
        "mean share of experts that a gate uses": 0.5,
        "largest mean weight": 0.98,
        "largest contribution": 0.95,
        "mean share of dead experts": 0.25,
        "lowest deviation of a gate": 0.0,
    }


def test_a_model_without_gates_has_none_of_gates():
    found = summarize({"experts": {"a": EXPERT}, "gates": {}})
    assert "largest mean weight" not in found
    assert found["largest SD over smallest"] == 1.0
