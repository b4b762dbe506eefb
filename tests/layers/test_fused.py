"""Merged products and operations: what their plain forms compute, and its gradients."""

import numpy as np
import pytest
from support.backends import to_numpy
from support.slow import slow_except

from home_tf.backend import IS_TENSORFLOW, ops
from home_tf.layers import fused
from home_tf.layers.fused import plain
from home_tf.layers.fused.mix import Term


def random(*shape, seed=0):
    values = np.random.default_rng([seed, *shape]).normal(size=shape)
    return ops.convert_to_tensor(values.astype(np.float32))


def check_same(merged, plain_form, inputs, atol=1e-5):
    """Compares two functions of tensors, and the gradients of what they give."""
    found, expected = merged(*inputs), plain_form(*inputs)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(to_numpy(one), to_numpy(other), atol=atol)
    for one, other in zip(
        gradients_of(merged, inputs), gradients_of(plain_form, inputs), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def gradients_of(function, inputs):
    def scalar(*tensors):
        outputs = function(*tensors)
        return sum(ops.sum(out * random(*out.shape, seed=9)) for out in outputs)

    if not IS_TENSORFLOW:
        import jax

        found = jax.grad(scalar, argnums=tuple(range(len(inputs))))(*inputs)
        return [np.asarray(gradient) for gradient in found]
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = scalar(*inputs)
    found = tape.gradient(value, inputs, unconnected_gradients="zero")
    return [gradient.numpy() for gradient in found]


@pytest.mark.parametrize(
    "columns",
    [
        [(3, True, 1)],
        [(3, True, 1), (3, True, 1)],
        [(4, True, 1), (6, False, 3), (1, True, 1)],
        [(4, False, 2), (2, False, 1)],
    ],
)
def test_one_product_is_that_of_every_map(columns):
    kernels = [random(5, width, seed=i) for i, (width, *_) in enumerate(columns)]
    biases = [
        random(width, seed=i) if with_bias else None
        for i, (width, with_bias, _) in enumerate(columns)
    ]

    def maps_of(kernels):
        return [
            fused.LinearMap(kernel, bias, parts)
            for kernel, bias, (_, _, parts) in zip(
                kernels, biases, columns, strict=True
            )
        ]

    def merged(x, *kernels):
        maps = maps_of(kernels)
        shared = fused.share_input(x, maps)
        assert fused.tensor_of(shared) is x
        return [part for one in maps for part in fused.linear(shared, one)]

    def alone(x, *kernels):
        return [part for one in maps_of(kernels) for part in plain.linear(x, one)]

    check_same(merged, alone, [random(7, 5), *kernels])


def test_a_map_that_was_not_shared_is_multiplied_by_itself():
    shared = fused.share_input(random(7, 5), [fused.LinearMap(random(5, 2))])
    other = fused.LinearMap(random(5, 3), random(3))
    (found,) = fused.linear(shared, other)
    (expected,) = plain.linear(random(7, 5), other)
    np.testing.assert_allclose(to_numpy(found), to_numpy(expected), atol=1e-5)


def with_constant_weights(function):
    def call(*arguments):
        with fused.constant_weights():
            assert fused.are_weights_constant()
            return function(*arguments)

    return call


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("use_last_bias", [True, False])
@pytest.mark.parametrize("units", [(4,), (6, 4), (6, 3, 4)])
@pytest.mark.parametrize("readers", [[3], [1, 1, 1], [2, 1]])
def test_mlps_side_by_side_are_as_many_alone(readers, units, use_last_bias, constant):
    kernels = [
        random(width, 3 * columns, seed=i)
        for i, (width, columns) in enumerate(zip((5, *units), units, strict=False))
    ]
    biases = [random(3 * columns, seed=7) for columns in units]
    biases = biases if use_last_bias else biases[:-1]
    inputs = [random(7, 5, seed=i) for i in range(len(readers))]

    def call(form):
        def outputs(*tensors):
            x, rest = tensors[: len(readers)], tensors[len(readers) :]
            return [form(x, readers, rest[: len(units)], rest[len(units) :])]

        return outputs

    merged = fused.parallel_mlps
    check_same(
        call(with_constant_weights(merged) if constant else merged),
        call(plain.parallel_mlps),
        [*inputs, *kernels, *biases],
    )


@pytest.mark.parametrize("width", [6, 256])
@pytest.mark.parametrize("loras", [1, 2, 3])
@pytest.mark.parametrize("gates", [1, 2])
def test_feature_gates_together_are_as_many_alone(gates, loras, width):
    maps, rank = gates * loras, 2
    parts = fused.num_down_parts(width, maps)
    downs = [random(7, maps * rank // parts, seed=i) for i in range(parts)]

    def call(form):
        return lambda v, up, logits, *downs: form(v, list(downs), up, logits, gates)

    check_same(
        call(fused.feature_gates),
        call(plain.feature_gates),
        [random(7, width), random(maps * rank, width), random(7, maps), *downs],
    )


@pytest.mark.parametrize("num_own", [1, 2])
@pytest.mark.parametrize("gates", [1, 3])
def test_experts_are_mixed_by_the_sum_of_their_weights(gates, num_own):
    def call(form):
        def mixed(common, other, own, *weights):
            seen = [(common, False), (other, False), (own, True)]
            # The last two weigh again what others weigh.
            terms = [
                Term(weight, *expert)
                for weight, expert in zip(weights, [*seen, *seen[1:]], strict=True)
            ]
            return [form(terms)]

        return mixed

    numbers = [2, 3, num_own, 3, num_own]
    weights = [random(7, gates, n, seed=i) for i, n in enumerate(numbers)]
    experts = [random(7, n, 4, seed=n) for n in (2, 3, gates * num_own)]
    check_same(call(fused.mix), call(plain.mix), [*experts, *weights])


@pytest.mark.skipif(not IS_TENSORFLOW, reason="one operation of TensorFlow")
@pytest.mark.parametrize("given", [True, False])
def test_batch_normalisation_is_its_definition(given):
    moments = (random(4, seed=1), random(4, seed=2) ** 2 + 0.5) if given else None

    def call(form):
        return lambda x, gamma, beta: [form(x, gamma, beta, moments, 1e-3)[0]]

    inputs = [random(30, 4), random(4, seed=3), random(4, seed=4)]
    check_same(call(fused.batch_norm), call(plain.batch_norm), inputs)
    if not given:
        found = fused.batch_norm(*inputs, None, 1e-3)[1:]
        expected = plain.batch_norm(*inputs, None, 1e-3)[1:]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(to_numpy(one), to_numpy(other), atol=1e-5)


def test_batch_normalisation_is_a_part_of_the_kernel_before_it():
    moments = (random(4, seed=1), random(4, seed=2) ** 2 + 0.5)
    x, kernel, gamma, beta = random(30, 5), random(5, 4), random(4), random(4, seed=3)
    found, bias = fused.fold_batch_norm(kernel, gamma, beta, moments, 1e-3)
    expected, _, _ = plain.batch_norm(ops.matmul(x, kernel), gamma, beta, moments, 1e-3)
    np.testing.assert_allclose(
        to_numpy(ops.matmul(x, found) + bias), to_numpy(expected), atol=1e-5
    )
    check_same(
        lambda *inputs: fused.fold_batch_norm(*inputs, moments, 1e-3),
        lambda *inputs: plain.fold_batch_norm(*inputs, moments, 1e-3),
        [kernel, gamma, beta],
    )


# Experts behind each feature gate, of each input.
COUNTS = [[[2], [2]], [[2], [2, 1]], [[1, 1], [1]], [[3]]]


@pytest.mark.parametrize("units", slow_except([(6, 4)], [(4,), (6, 4), (6, 3, 4)]))
@pytest.mark.parametrize("self_gates", ["of several", "of one", "of both", None])
@pytest.mark.parametrize("loras", slow_except([0, 2], [0, 1, 2, 3]))
@pytest.mark.parametrize("counts", COUNTS)
def test_a_level_is_its_experts_and_gates_alone(counts, loras, self_gates, units):
    width, last = 5, len(counts) - 1
    experts = []
    for reads, each in enumerate(counts):
        n, maps = sum(each), len(each) * loras
        sizes = zip((width, *units), units, strict=False)
        kernels = [random(a, n * b, seed=reads) for a, b in sizes]
        biases = [random(n * b, seed=reads) for b in units]
        gates = loras and fused.FeatureGates(
            random(width, maps * 2, seed=reads),
            random(maps * 2, width, seed=reads),
            fused.LinearMap(random(width, maps), random(maps)),
            loras,
        )
        experts.append(fused.GatedExperts(reads, each, kernels, biases, gates or None))
    number = sum(map(sum, counts))

    def gates_of(reads, *sees):
        columns = sum(map(len, sees))
        kernel = random(len(reads) * width, columns, seed=columns)
        return fused.Gates(reads, fused.LinearMap(kernel, random(columns)), sees)

    # Of different numbers of experts, and in an order of their own.
    everything = list(range(number))
    gates = [gates_of([last, 0], everything[::-1]), gates_of([0], [1, 2], [0, 1])]
    own = [gates_of([last], [0, 1]), gates_of([0], [2, 1], [1, 0])]
    if self_gates != "of several":
        own[1] = gates_of([last], [0], [2])
    if self_gates == "of one":
        own[0] = gates_of([0], [1])
    parts = fused.Level(experts, ops.tanh, gates, own if self_gates else [])
    inputs = [random(7, width, seed=i) for i in range(len(counts))]
    check_same(
        lambda *tensors: fused.level(tensors, parts),
        lambda *tensors: plain.level(tensors, parts),
        inputs,
    )
