"""Stacked kernels, so that many products become one batched product."""

from collections.abc import Sequence

from home_tf.backend import ops
from home_tf.types import Tensor, Weight


def stack_kernel(kernel: Weight, number: int) -> Tensor:
    """Kernels side by side, `(width, number * units)`, as `(number, width, units)`."""
    width, columns = kernel.shape
    kernel = ops.convert_to_tensor(kernel)
    apart = ops.reshape(kernel, (width, number, columns // number))
    return ops.transpose(apart, (1, 0, 2))


def stack_bias(bias: Weight, number: int) -> Tensor:
    """Biases side by side, `(number * units,)`, as `(number, 1, units)`."""
    return ops.reshape(ops.convert_to_tensor(bias), (number, 1, -1))


def take_each(x: Tensor, numbers: Sequence[int]) -> Tensor:
    """Selects the stacked tensors with the given numbers.

    A single one stays single: a batched product broadcasts it.
    """
    if x.shape[0] == 1 or list(numbers) == list(range(x.shape[0])):
        return x
    return ops.take(x, list(numbers), axis=0)


def stacked_mlps(
    x: Tensor, kernels: Sequence[Tensor], biases: Sequence[Tensor]
) -> Tensor:
    """Computes MLPs of the same shape, with ReLU between their layers.

    Args:
        x: The input of each MLP, `(mlps, batch, width)`, or of all, `(1, batch,
            width)`.
        kernels: The kernels at each depth, `(mlps, width, units)`.
        biases: The biases at each depth, `(mlps, 1, units)`; the last may be left out.

    Returns:
        `(mlps, batch, units)`.
    """
    for depth, kernel in enumerate(kernels):
        x = ops.matmul(ops.relu(x) if depth else x, kernel)
        if depth < len(biases):
            x = x + biases[depth]
    return x
