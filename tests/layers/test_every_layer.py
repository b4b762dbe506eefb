"""One table with every layer, through one set of checks."""

import numpy as np
import pytest
from support.layer_test import run_layer_test

from home_tf.layers import (
    Expert,
    ExpertBank,
    ExpertGate,
    FeatureGate,
    HoME,
    SelfGate,
    TaskTowers,
)

GROUPS = {"watch": ["long_view"], "inter": ["click"]}
TASKS = ["long_view", "click"]
ROWS = 16


def rows_of(*shape):
    return np.random.default_rng(0).normal(size=(ROWS, *shape)).astype(np.float32)


V = rows_of(6)
EXPERTS = rows_of(3, 5)
HOME_SHAPES = dict.fromkeys(TASKS, (4,))


def home(**switches):
    return lambda **kwargs: HoME(
        GROUPS, **{"expert": Expert.home(units=(4,)), **switches}, **kwargs
    )


CASES = {
    "experts": (lambda **k: ExpertBank(3, Expert.home(units=(8, 5)), **k), [V], (3, 5)),
    "relu-experts": (
        lambda **k: ExpertBank(3, Expert.relu(units=(8, 5)), **k),
        [V],
        (3, 5),
    ),
    "swish-experts": (
        lambda **k: ExpertBank(3, Expert.swish(units=(8, 5)), **k),
        [V],
        (3, 5),
    ),
    "an-input-for-each-expert": (
        lambda **k: ExpertBank(3, Expert.home(units=(4,)), **k),
        [EXPERTS],
        (3, 4),
    ),
    "expert-gate": (lambda **k: ExpertGate(3, **k), [V, EXPERTS], (5,)),
    "expert-gate-with-hidden-layer": (
        lambda **k: ExpertGate(3, hidden_units=(7,), **k),
        [V, EXPERTS],
        (5,),
    ),
    "several-gates": (
        lambda **k: ExpertGate(4, num_gates=2, **k),
        [V, EXPERTS, rows_of(2, 1, 5)],
        (2, 5),
    ),
    "self-gate": (lambda **k: SelfGate(3, **k), [V, EXPERTS], (5,)),
    "self-gate-over-one": (lambda **k: SelfGate(1, **k), [V, EXPERTS[:, :1]], (5,)),
    "feature-gate": (lambda **k: FeatureGate(**k), [V], (6,)),
    "feature-gate-of-a-rank": (
        lambda **k: FeatureGate(num_loras=3, rank=2, **k),
        [V],
        (6,),
    ),
    "home": (home(), [V], HOME_SHAPES),
    "towers": (
        lambda **k: TaskTowers(TASKS, hidden_units=(8,), **k),
        [{task: rows_of(4) for task in TASKS}],
        dict.fromkeys(TASKS, (1,)),
    ),
}


# Each way in which HoME is put together, for what the forward pass does not show.
HOMES = {
    "relu": {"expert": Expert.relu(units=(4,))},
    "without-second-feature-gates": {"feature_gate": "meta"},
    "with-a-feature-gate-an-expert": {"feature_gate_scope": "expert"},
    "bare": {"feature_gate": "none", "self_gate": "none", "hierarchy_mask": False},
    "deep-gates": {"gate_units": (5,), "self_gate": "meta", "lora_rank": (1, 2)},
}


@pytest.mark.parametrize("name", CASES)
def test_every_layer_is_a_good_part_of_a_model(name, tmp_path):
    make, inputs, shapes = CASES[name]
    run_layer_test(make, inputs, shapes, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOMES)
def test_every_kind_of_home_can_be_saved(name, tmp_path):
    run_layer_test(home(**HOMES[name]), [V], HOME_SHAPES, tmp_path, quick=True)
