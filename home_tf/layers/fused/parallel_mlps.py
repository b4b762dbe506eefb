"""Parallel MLPs: those that read the same input share one product."""

from collections.abc import Sequence

from home_tf.backend import ops
from home_tf.layers.fused.constant_weights import are_weights_constant
from home_tf.layers.fused.shared_input import (
    LinearMap,
    SharedInput,
    linear,
    split_columns,
    tensor_of,
)
from home_tf.layers.fused.stacked import (
    stack_bias,
    stack_kernel,
    stacked_mlps,
    take_each,
)
from home_tf.types import Tensor, Weight


def parallel_mlps(
    inputs: Sequence[Tensor | SharedInput],
    readers: Sequence[int],
    kernels: Sequence[Weight],
    biases: Sequence[Weight],
) -> Tensor:
    """Computes MLPs of the same shape, with ReLU between their layers.

    Those that read the same input are one matrix product. The others are plain products
    on slices, which on a CPU are faster than one batched product, unless the weights
    are constants.

    Args:
        inputs: What they read, `(batch, features)` each.
        readers: How many MLPs read each of the inputs, in the order of the MLPs.
        kernels: A kernel for each depth, `(width, mlps * units)`, side by side.
        biases: A bias for each depth, `(mlps * units,)`; the last may be left out.

    Returns:
        `(batch, mlps * units)`, the MLPs side by side.
    """
    if are_weights_constant() and sum(readers) > 1:
        return _batched(inputs, readers, kernels, biases)
    num_mlps = sum(readers)
    if len(inputs) == 1:
        outputs = linear(inputs[0], first_map(kernels, biases))
    else:
        bias = biases[0] if biases else None
        tensors = [tensor_of(x) for x in inputs]
        outputs = _layer(tensors, readers, kernels[0], bias)
    for depth, kernel in enumerate(kernels[1:], start=1):
        width = int(kernel.shape[0])
        outputs = [
            one
            for x, count in zip(outputs, readers, strict=True)
            for one in split_columns(ops.relu(x), [width] * count)
        ]
        readers = [1] * num_mlps
        bias = biases[depth] if depth < len(biases) else None
        outputs = _layer(outputs, readers, kernel, bias)
    return outputs[0] if len(outputs) == 1 else ops.concatenate(outputs, axis=-1)


def _batched(
    inputs: Sequence[Tensor | SharedInput],
    readers: Sequence[int],
    kernels: Sequence[Weight],
    biases: Sequence[Weight],
) -> Tensor:
    """The same with a batched product per layer, except the first on a single input."""
    number = sum(readers)
    all_kernels = [stack_kernel(kernel, number) for kernel in kernels]
    all_biases = [stack_bias(bias, number) for bias in biases]
    if len(inputs) == 1:
        x = linear(inputs[0], first_map(kernels, biases))[0]
        if len(kernels) == 1:
            return x
        x = ops.reshape(x, (-1, number, x.shape[-1] // number))
        x = ops.relu(ops.transpose(x, (1, 0, 2)))
        outputs = stacked_mlps(x, all_kernels[1:], all_biases[1:])
    else:
        x = ops.stack([tensor_of(one) for one in inputs], axis=0)
        each = [i for i, count in enumerate(readers) for _ in range(count)]
        outputs = stacked_mlps(take_each(x, each), all_kernels, all_biases)
    width = outputs.shape[-1]
    return ops.reshape(ops.transpose(outputs, (1, 0, 2)), (-1, number * width))


def first_map(kernels: Sequence[Weight], biases: Sequence[Weight]) -> LinearMap:
    """The first layer of all MLPs, which reads the input."""
    return LinearMap(kernels[0], biases[0] if biases else None)


def _layer(
    inputs: list[Tensor], readers: Sequence[int], kernel: Weight, bias: Weight | None
) -> list[Tensor]:
    units = int(kernel.shape[-1]) // sum(readers)
    columns = [count * units for count in readers]
    kernels = split_columns(kernel, columns)
    outputs = [ops.matmul(x, k) for x, k in zip(inputs, kernels, strict=True)]
    if bias is None:
        return outputs
    biases = split_columns(bias, columns)
    return [ops.add(x, b) for x, b in zip(outputs, biases, strict=True)]
