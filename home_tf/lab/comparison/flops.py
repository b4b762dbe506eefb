"""The cost of a network's forward pass, read from its graph."""

import math

import tensorflow as tf

from home_tf.models import RankingNetwork
from home_tf.types import Tensor

_PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2", "Einsum")


def flops_per_example(network: RankingNetwork) -> int:
    """Counts the floating-point operations of the matrix products per example.

    Counted are multiplications and additions in the products with kernels (2 a kernel
    element) and in the mixing of experts (2 an element of each mixed expert), from the
    ranking input to the logits. Embedding, activations and BatchNorm are left out: the
    first is the same for all architectures, the others are linear in the widths.

    Args:
        network: A built `RankingNetwork`.

    Returns:
        The number of operations.
    """

    @tf.function(autograph=False)
    def forward(v: Tensor) -> dict[str, Tensor]:
        return network.logits_of(v, training=False)

    v = tf.TensorSpec((1, network.features.width), network.compute_dtype)
    graph = forward.get_concrete_function(v).graph
    found = 0
    for op in graph.get_operations():
        if op.type in _PRODUCTS:
            found += _flops_of_product(op)
        elif op.type == "Mul" and _scales_by_weights(op):
            found += 2 * math.prod(op.outputs[0].shape.as_list())
    return found


def _scales_by_weights(op: tf.Operation) -> bool:
    """Whether an operation multiplies experts by gate weights."""
    ends = [int(tensor.shape[-1]) for tensor in op.inputs if tensor.shape.rank]
    return len(ends) == 2 and min(ends) == 1 < max(ends)


def _flops_of_product(op: tf.Operation) -> int:
    shapes = [tuple(map(int, tensor.shape)) for tensor in op.inputs]
    if op.type == "Einsum":
        terms = op.get_attr("equation").decode().split("->")[0].split(",")
        sizes = {
            letter: size
            for term, shape in zip(terms, shapes, strict=True)
            for letter, size in zip(term, shape, strict=True)
        }
        return 2 * math.prod(sizes.values())
    transposed = op.get_attr("transpose_a" if op.type == "MatMul" else "adj_x")
    contracted = shapes[0][-2 if transposed else -1]
    return 2 * math.prod(op.outputs[0].shape.as_list()) * contracted
