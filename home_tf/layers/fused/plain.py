"""The plain form of each function of `fused`, one expert, gate and map at a time.

The tests compare the merged forms with these; nothing else uses them.
"""

from collections.abc import Iterable, Sequence

from home_tf.backend import ops
from home_tf.layers.fused.level import GatedExperts, Gates, Level
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


def level(inputs: Sequence[Tensor], parts: Level) -> list[Tensor]:
    """Eq. 3 to 11 of a level, one group of experts and one gate at a time."""
    experts = [e for group in parts.experts for e in _experts_of(inputs, group, parts)]
    outputs = _mixed_by(parts.gates, inputs, experts)
    if not parts.self_gates:
        return outputs
    own = _mixed_by(parts.self_gates, inputs, experts, is_self_gate=True)
    return [one + other for one, other in zip(outputs, own, strict=True)]


def _experts_of(
    inputs: Sequence[Tensor], group: GatedExperts, parts: Level
) -> list[Tensor]:
    x, gates = inputs[group.reads], group.feature_gates
    each = [x] * len(group.counts)
    if gates is not None:
        (down,) = linear(x, LinearMap(gates.down))
        (logits,) = linear(x, gates.logits)
        each = feature_gates(x, [down], gates.up, logits, len(group.counts))
    outputs = parallel_mlps(each, group.counts, group.kernels, group.biases)
    return ops.split(parts.activate(outputs), sum(group.counts), axis=-1)


def _mixed_by(
    kind: Sequence[Gates],
    inputs: Sequence[Tensor],
    experts: Sequence[Tensor],
    is_self_gate: bool = False,
) -> list[Tensor]:
    mixed = []
    for gates in kind:
        x = ops.concatenate([inputs[number] for number in gates.reads], axis=-1)
        (logits,) = linear(x, gates.logits)
        each = ops.split(logits, len(gates.sees), axis=-1)
        for of_gate, seen in zip(each, gates.sees, strict=True):
            is_sigmoid = is_self_gate and len(seen) == 1
            weights = ops.sigmoid(of_gate) if is_sigmoid else ops.softmax(of_gate)
            mixed.append(
                sum(weights[:, k, None] * experts[e] for k, e in enumerate(seen))
            )
    return mixed


def fold_batch_norm(
    kernel: Tensor,
    gamma: Tensor,
    beta: Tensor,
    moments: tuple[Tensor, Tensor],
    epsilon: float,
) -> tuple[Tensor, Tensor]:
    """From its definition: the outputs for 0 and for each feature alone."""

    def normalized(x: Tensor) -> Tensor:
        return batch_norm(x, gamma, beta, moments, epsilon)[0]

    zero = ops.zeros_like(kernel)
    return normalized(kernel) - normalized(zero), normalized(zero)[0]


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
