"""What every layer says of an input that is none for it."""

import re

import numpy as np
import pytest

from home_tf.backend import keras
from home_tf.layers import (
    CGC,
    PLE,
    AdaTT,
    Expert,
    ExpertBank,
    ExpertGate,
    FeatureGate,
    HoME,
    MMoE,
    SelfGate,
    SharedBottom,
    SingleTask,
    TaskTowers,
)

GROUPS = {"watch": ["int"], "inter": ["click"]}
ONE = "a tensor of shape (batch, features)"
BANK = f"{ONE} or (batch, n, features), with n = `num_experts`"
GATE = f"{ONE}, or a list of `num_gates` such tensors"
TOWERS = "a dict {task: tensor of shape (batch, D)}"


def ones(*shape, dtype="float32"):
    return np.ones(shape, dtype)


ARCHITECTURES = [HoME, SharedBottom, SingleTask, MMoE, CGC, PLE, AdaTT]
# The layer, and what it takes.
LAYERS = {
    **{
        kind.__name__: (lambda kind=kind: kind(GROUPS, name="mine"), ONE)
        for kind in ARCHITECTURES
    },
    "FeatureGate": (lambda: FeatureGate(name="mine"), ONE),
    "ExpertBank": (lambda: ExpertBank(3, name="mine"), BANK),
    "ExpertGate": (lambda: ExpertGate(3, name="mine"), GATE),
    "SelfGate": (lambda: SelfGate(3, name="mine"), GATE),
    "TaskTowers": (lambda: TaskTowers(["int", "click"], name="mine"), TOWERS),
}
WRONG = {
    "rank 3": (ones(5, 2, 6), "(5, 2, 6)"),
    "rank 1": (ones(6), "(6,)"),
    "a dict": ({"x": ones(5, 2, 6)}, "{'x': (5, 2, 6)}"),
    "a list": ([ones(5, 6), ones(5, 6)], "[(5, 6), (5, 6)]"),
    "no tensor": ("hello", "str"),
    "numbers": ([1.0, 2.0], "['float', 'float']"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_another_input_is_told_with_layer_and_shapes(name):
    make, wanted = LAYERS[name]
    more = [ones(5, 3, 4)] if name in ("ExpertGate", "SelfGate") else []
    for inputs, received in WRONG.values():
        with pytest.raises(ValueError, match="must be") as error:
            make()(inputs, *more)
        text = str(error.value)
        assert text.startswith(f"The input of `{name}` (layer 'mine') must be {wanted}")
        assert text.endswith(f"Received: {received}")


@pytest.mark.parametrize("name", LAYERS)
def test_an_input_of_integers_is_told(name):
    ids = ones(5, 6, dtype="int32")
    inputs = {"int": ones(5, 6), "click": ids} if name == "TaskTowers" else ids
    more = [ones(5, 3, 4)] if name in ("ExpertGate", "SelfGate") else []
    with pytest.raises(ValueError, match=r"\(layer 'mine'\) must be floating-point"):
        LAYERS[name][0]()(inputs, *more)


@pytest.mark.parametrize("kind", [HoME, MMoE])
def test_a_symbolic_input_of_another_rank_is_told(kind):
    message = re.escape(f"{ONE}. Received: (None, 2, 6)")
    with pytest.raises(ValueError, match=message):
        kind(GROUPS)(keras.Input((2, 6)))


def test_a_layer_that_has_weights_still_looks_at_its_input():
    home = HoME(GROUPS)
    home(ones(5, 6))
    with pytest.raises(ValueError, match=r"Received: \(5, 2, 6\)"):
        home(inputs=ones(5, 2, 6))


@pytest.mark.parametrize("name", LAYERS)
def test_another_width_than_that_of_the_weights_is_told(name):
    layer = LAYERS[name][0]()
    more = [ones(5, 3, 4)] if name in ("ExpertGate", "SelfGate") else []

    def call(width):
        x = ones(5, width)
        return layer({"int": x, "click": x} if name == "TaskTowers" else x, *more)

    call(6)
    call(6)
    message = rf"`{name}` \(layer 'mine'\) must be 6 wide, as its .*\(5, 8\)"
    with pytest.raises(ValueError, match=message):
        call(8)


@pytest.mark.parametrize(
    ("layer", "refused", "taken"),
    [
        (lambda: FeatureGate(rank="paper"), ones(5, 7), ones(5, 6)),
        (
            lambda: TaskTowers(["int", "click"]),
            {"int": ones(5, 4), "click": ones(5, 6)},
            {"int": ones(5, 4), "click": ones(5, 4)},
        ),
    ],
)
def test_a_width_that_made_no_weights_is_not_held_against_the_next(
    layer, refused, taken
):
    layer = layer()
    with pytest.raises(ValueError, match="width"):
        layer(refused)
    layer(taken)


def test_towers_do_not_look_at_tasks_that_they_have_no_tower_for():
    towers = TaskTowers(["click"])
    towers({"click": ones(5, 4), "like": ones(5, 6)})
    logits = towers({"click": ones(5, 4), "like": ones(5, 6)})
    assert list(logits) == ["click"]


def test_a_bank_of_groups_takes_an_input_for_each():
    bank = ExpertBank((2, 1), Expert.home(units=(4,)))
    assert tuple(bank([ones(5, 6), ones(5, 6)]).shape) == (5, 3, 4)
    for inputs in ([ones(5, 6)], [ones(5, 6), ones(5, 3, 6)]):
        with pytest.raises(ValueError, match="a list of as many tensors"):
            ExpertBank((2, 1), Expert.home(units=(4,)))(inputs)
    symbols = [keras.Input((6,)), keras.Input((6,))]
    assert tuple(bank(symbols).shape) == (None, 3, 4)
    each = ExpertBank(3, Expert.home(units=(4,)))(keras.Input((3, 6)))
    assert tuple(each.shape) == (None, 3, 4)


def test_towers_of_tasks_named_as_types_take_floats():
    inputs = {"int": ones(5, 4), "click": ones(5, 4)}
    logits = TaskTowers(["int", "click"])(inputs)
    assert list(logits) == ["int", "click"]


@pytest.mark.parametrize(
    ("experts", "own", "message"),
    [
        (
            ones(5, 4),
            None,
            r"`experts` of `ExpertGate` .* \(batch, n, D\). .* \(5, 4\)",
        ),
        (
            ones(5, 2, 4),
            ones(5, 1, 4),
            r"`own_experts` .* \(batch, num_gates, n_own, D",
        ),
    ],
)
def test_experts_of_another_rank_are_told(experts, own, message):
    with pytest.raises(ValueError, match=message):
        ExpertGate(3)(ones(5, 6), experts, own)
