"""The values of several feature gates that read one input."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import ops
from home_tf.types import Tensor

# Gates of narrow inputs are computed together. Gates of wide inputs are faster one by
# one on a CPU: its caches hold the values of one gate but not of all, and the gradient
# of splitting them copies them.
_WIDE = 256


def num_down_parts(width: int, num_maps: int) -> int:
    """The number of parts into which `feature_gates` wants `v B` to be split."""
    return num_maps if width >= _WIDE else 1


def feature_gates(
    v: Tensor, downs: list[Tensor], up: Tensor, logits: Tensor, num_gates: int
) -> list[Tensor]:
    """`v FeaGate(v)`, with `FeaGate(v) = sum_l Softmax_l(logits) 2 Sigmoid(v B_l A_l)`.

    Eq. 8 to 10. Computed as `1 + sum_l w_l tanh(v B_l A_l / 2)`, which is 1 to the last
    bit where `A` is zero.

    Args:
        v: `(batch, |v|)`.
        downs: `v B` of all maps, gate after gate, in `num_down_parts` parts.
        up: `A` of all maps, `(maps * rank, |v|)`.
        logits: Of the mixtures, `(batch, maps)`.
        num_gates: Number of gates.

    Returns:
        The gated input of each gate, `(batch, |v|)`.
    """
    # Half of it, since 2 * Sigmoid(x) = 1 + tanh(x / 2).
    half = 0.5 * ops.convert_to_tensor(up)
    logits = ops.cast(logits, "float32")
    if half.shape[-1] < _WIDE:
        values = 1.0 + _stacked(downs[0], half, logits, num_gates)
        gated: list[Tensor] = ops.unstack(v * values, axis=0)
        return gated
    maps = len(downs)
    loras = maps // num_gates
    one = ops.convert_to_tensor(1.0, dtype=half.dtype)
    ups, logits = ops.split(half, maps, axis=0), ops.split(logits, maps, axis=-1)
    gates = [slice(first, first + loras) for first in range(0, maps, loras)]
    return [v * (one + _mean(downs[i], ups[i], logits[i])) for i in gates]


def _stacked(down: Tensor, up: Tensor, logits: Tensor, gates: int) -> Tensor:
    """`FeaGate(v) - 1` of all gates, `(gates, batch, |v|)`."""
    loras = logits.shape[-1] // gates
    rank, width = up.shape[0] // (gates * loras), up.shape[-1]
    down = ops.reshape(down, (-1, gates, loras, rank))
    logits = ops.reshape(ops.transpose(logits), (gates, loras, -1, 1))
    return _mean(
        ops.unstack(ops.transpose(down, (2, 1, 0, 3)), axis=0),
        ops.unstack(ops.reshape(up, (gates, loras, rank, width)), axis=1),
        ops.unstack(logits, axis=1),
    )


def _mean(downs: list[Tensor], ups: list[Tensor], logits: list[Tensor]) -> Tensor:
    """`FeaGate(v) - 1` of one gate, or of all, stacked in front.

    Args:
        downs: `v B` of each map, `([gates,] batch, rank)`.
        ups: `A / 2` of each map, `([gates,] rank, |v|)`.
        logits: The weight of each map, `([gates,] batch, 1)`.

    Returns:
        `([gates,] batch, |v|)`.
    """
    values = [
        ops.tanh(ops.matmul(down, up)) for down, up in zip(downs, ups, strict=True)
    ]
    return weighted_mean(values, _weights_but_last(logits, values[-1].dtype))


def weighted_mean(values: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """The mean of values whose weights sum to 1, so the last weight is not needed.

    It is 0 to the last bit where the values are zero.
    """
    *others, last = values
    mean = last
    for weight, value in zip(weights, others, strict=True):
        mean = mean + weight * (value - last)
    return mean


def _weights_but_last(logits: list[Tensor], dtype: Any) -> list[Tensor]:
    if len(logits) == 1:
        return []
    if len(logits) == 2:
        # Equal to a softmax over two values.
        weights = [ops.sigmoid(logits[0] - logits[1])]
    else:
        *weights, _ = ops.unstack(
            ops.softmax(ops.stack(logits, axis=0), axis=0), axis=0
        )
    return [ops.cast(weight, dtype) for weight in weights]
