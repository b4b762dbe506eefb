"""MLPs side by side, those that read one input as one product."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from home_tf.backend import ops
from home_tf.layers.fused.shared_input import (
    SharedInput,
    linear,
    split_columns,
    tensor_of,
)
from home_tf.types import Tensor

if TYPE_CHECKING:
    from home_tf.layers.parallel_mlps import ParallelMLPs


def parallel_mlps(
    mlps: "ParallelMLPs",
    inputs: Sequence[Tensor | SharedInput],
    readers: Sequence[int],
) -> Tensor:
    """Computes all MLPs.

    Those that read the same input are one matrix product; the others are plain products
    on slices, which on a CPU are faster than one batched product.

    Args:
        mlps: The MLPs.
        inputs: What they read, `(batch, features)` each.
        readers: How many MLPs read each of the inputs, in the order of the MLPs.

    Returns:
        `(batch, num_mlps * units[-1])`, the MLPs side by side.
    """
    if len(inputs) == 1:
        outputs = linear(inputs[0], mlps.first)
    else:
        outputs = _layer(mlps, [tensor_of(x) for x in inputs], readers, depth=0)
    for depth in range(1, len(mlps.units)):
        outputs = [ops.relu(x) for x in outputs]
        width = mlps.units[depth - 1]
        outputs = [
            one
            for x, count in zip(outputs, readers, strict=True)
            for one in split_columns(x, [width] * count)
        ]
        readers = [1] * mlps.num_mlps
        outputs = _layer(mlps, outputs, readers, depth)
    return outputs[0] if len(outputs) == 1 else ops.concatenate(outputs, axis=-1)


def _layer(
    mlps: "ParallelMLPs", inputs: list[Tensor], readers: Sequence[int], depth: int
) -> list[Tensor]:
    columns = [count * mlps.units[depth] for count in readers]
    kernels = split_columns(mlps.kernels[depth], columns)
    outputs = [ops.matmul(x, k) for x, k in zip(inputs, kernels, strict=True)]
    if depth == len(mlps.biases):
        return outputs
    biases = split_columns(mlps.biases[depth], columns)
    return [ops.add(x, bias) for x, bias in zip(outputs, biases, strict=True)]
