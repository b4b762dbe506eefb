"""The plain form of each function of `fused`, one expert, gate and map at a time.

What tests compare the merged forms with; nothing else uses it.
"""

from collections.abc import Iterable, Sequence

from home_tf.backend import ops
from home_tf.layers.fused.mix import Term
from home_tf.layers.fused.shared_input import LinearMap
from home_tf.types import Tensor, Weight


def linear(x: Tensor, linear_map: LinearMap) -> list[Tensor]:
    """The parts of `x W + b`."""
    product = ops.matmul(x, linear_map.kernel)
    if linear_map.bias is not None:
        product = product + linear_map.bias
    parts: list[Tensor] = ops.split(product, linear_map.parts, axis=-1)
    return parts


def parallel_mlps(
    inputs: Sequence[Tensor],
    readers: Sequence[int],
    kernels: Sequence[Weight],
    biases: Sequence[Weight],
) -> Tensor:
    """Every MLP on its input, by itself."""
    each = [x for x, count in zip(inputs, readers, strict=True) for _ in range(count)]
    outputs = []
    for number, x in enumerate(each):
        for depth, kernel in enumerate(kernels):
            units = int(kernel.shape[-1]) // len(each)
            columns = slice(number * units, (number + 1) * units)
            x = ops.matmul(x if depth == 0 else ops.relu(x), kernel[:, columns])
            if depth < len(biases):
                x = x + biases[depth][columns]
        outputs.append(x)
    return ops.concatenate(outputs, axis=-1)


def feature_gates(
    v: Tensor, downs: list[Tensor], up: Tensor, logits: Tensor, num_gates: int
) -> list[Tensor]:
    """Eq. 8 to 10, one gate and one map at a time."""
    maps = logits.shape[-1]
    downs = ops.split(ops.concatenate(downs, axis=-1), maps, axis=-1)
    ups = ops.split(ops.convert_to_tensor(up), maps, axis=0)
    loras = [
        2.0 * ops.sigmoid(ops.matmul(down, one_up))  # eq. 8
        for down, one_up in zip(downs, ups, strict=True)
    ]
    each, gated = maps // num_gates, []
    for first in range(0, maps, each):
        shares = ops.exp(logits[:, first : first + each])
        weights = shares / ops.expand_dims(ops.sum(shares, axis=-1), -1)
        gate = ops.zeros_like(v)
        for i in range(each):
            gate = gate + weights[:, i : i + 1] * loras[first + i]  # eq. 9
        gated.append(v * gate)  # eq. 10
    return gated


def mix(terms: Iterable[Term]) -> Tensor:
    """Eq. 3, one gate and one expert at a time."""
    total: Tensor = 0.0
    for term in terms:
        _, gates, number = term.weights.shape
        total = total + ops.stack(
            [
                sum(
                    term.weights[:, gate, k, None]
                    * term.experts[:, gate * number + k if term.own else k]
                    for k in range(number)
                )
                for gate in range(gates)
            ],
            axis=1,
        )
    return total


def batch_norm(
    x: Tensor,
    gamma: Tensor,
    beta: Tensor,
    moments: tuple[Tensor, Tensor] | None,
    epsilon: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch normalisation from its definition."""
    rows = ops.sum(ops.zeros_like(x[:, 0]) + 1.0)
    mean, variance = moments or (ops.sum(x, axis=0) / rows, None)
    if variance is None:
        variance = ops.sum((x - mean) ** 2, axis=0) / rows
    outputs = (x - mean) / ops.sqrt(variance + epsilon) * gamma + beta
    return outputs, mean, variance
