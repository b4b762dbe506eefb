"""The naive layer computes what HoME does, its gradients too, in every precision."""

import numpy as np
import pytest
import tensorflow as tf

from home_tf.backend import IS_LEGACY
from home_tf.lab.bench.layer import SAME, check_same, relative_difference
from home_tf.lab.bench.naive_home import NaiveHoME, copy_weights
from home_tf.layers import Expert, HoME

GROUPS = {"watch": ["a"], "inter": ["b", "c"], "more": ["d"]}
V = np.random.default_rng(0).normal(size=(256, 12)).astype(np.float32)
TARGETS = {
    task: np.random.default_rng(number).normal(size=(256, 8)).astype(np.float32)
    for number, task in enumerate("abcd", start=1)
}
SWITCHES = [
    {},
    {"num_shared_experts": 3, "num_task_experts": 2, "lora_rank": (3, 1)},
    {"num_loras": 4, "num_group_experts": 1},
]


def random_home(**arguments):
    home = HoME(GROUPS, expert=Expert.home(units=(16, 8)), **arguments)
    home(V)
    random = np.random.default_rng(1)
    weights = [random.normal(0, 0.5, w.shape) for w in home.weights]
    for place, weight in enumerate(home.weights):
        if "variance" in weight.name:
            weights[place] = 0.5 + np.abs(weights[place])
    home.set_weights(weights)
    return home


def naive_of(home):
    naive = NaiveHoME(home)
    naive(V)
    copy_weights(home, naive)
    return naive


@pytest.mark.slow
@pytest.mark.parametrize("switches", SWITCHES)
def test_the_naive_layer_computes_what_home_does(switches):
    home = random_home(**switches)
    naive = NaiveHoME(home)
    naive(V)
    with pytest.raises(AssertionError):
        check_same(home, naive, V)  # the check tells different weights
    copy_weights(home, naive)
    check_same(home, naive, V)
    assert naive.count_params() == home.count_params()


def run(layer, training, jit_compile=False):
    """The outputs, the gradient of the input, and those of all weights."""
    weights = layer.trainable_variables
    sources = weights if IS_LEGACY else [weight.value for weight in weights]

    def step(v):
        with tf.GradientTape() as tape:
            tape.watch(v)
            outputs = layer(v, training=training)
            loss = tf.add_n(
                [
                    tf.reduce_sum(tf.cast(h, tf.float32) * TARGETS[task])
                    for task, h in outputs.items()
                ]
            )
        return outputs, tape.gradient(loss, [v, *sources])

    # Tracing so many layers takes longer than calling them once.
    if jit_compile:
        step = tf.function(step, jit_compile=True, autograph=False)
    outputs, (of_input, *of_weights) = step(tf.constant(V))
    return outputs, of_input, of_weights


def in_one(tensors):
    return np.concatenate([np.ravel(tensor) for tensor in tensors])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("switches", "training", "jit_compile"),
    [
        *((switches, True, False) for switches in SWITCHES),
        ({}, False, False),
        ({}, True, True),
    ],
)
def test_the_gradients_are_the_same(switches, training, jit_compile):
    home = random_home(**switches)
    naive = naive_of(home)
    outputs, of_input, of_weights = run(home, training, jit_compile)
    expected, expected_of_input, expected_of_weights = run(naive, training, jit_compile)
    for task, h in expected.items():
        assert relative_difference(outputs[task], h) < 1e-5
    assert relative_difference(of_input, expected_of_input) < 1e-5
    # A gradient is arranged as its weight: what is copied takes the naive arrangement.
    for weight, gradient in zip(home.trainable_variables, of_weights, strict=True):
        weight.assign(gradient)
    copy_weights(home, naive)
    found = [np.array(weight) for weight in naive.trainable_variables]
    expected_of_weights = [np.array(gradient) for gradient in expected_of_weights]
    assert relative_difference(in_one(found), in_one(expected_of_weights)) < 1e-5
    # Where large terms cancel, as before a BatchNorm, their rounding is what remains.
    least = 0.01 * np.linalg.norm(in_one(expected_of_weights))
    for a, b in zip(found, expected_of_weights, strict=True):
        assert np.linalg.norm(a - b) < 1e-5 * max(np.linalg.norm(b), least)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("training", [False, True])
def test_half_precision_computes_what_float32_does(dtype, training):
    """Outputs within some roundings, gradients within the ReLUs that these switch.

    A ReLU whose input is as near to zero as a rounding may be on instead of off. Those
    are a share of the order of the machine epsilon, and their part of the gradient is
    wrong as a whole: by relative norm, the root of it.
    """
    bound = SAME[dtype]
    expected, expected_of_input, expected_of_weights = run(random_home(), training)
    half = random_home(dtype=f"mixed_{dtype}")
    outputs, of_input, of_weights = run(half, training)
    check_same(half, naive_of(half), V)
    for task, h in expected.items():
        assert outputs[task].dtype == dtype
        assert relative_difference(outputs[task], h) < bound
    assert relative_difference(of_input, expected_of_input) < bound**0.5
    found, wanted = in_one(of_weights), in_one(expected_of_weights)
    assert relative_difference(found, wanted) < bound**0.5
