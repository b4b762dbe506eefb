"""A whole level of HoME in a few operations, for constant weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from home_tf.backend import ops
from home_tf.layers.fused.feature_gates import weighted_mean
from home_tf.layers.fused.shared_input import LinearMap, split_columns
from home_tf.layers.fused.stacked import (
    stack_bias,
    stack_kernel,
    stacked_mlps,
    take_each,
)
from home_tf.types import Tensor, Weight


@dataclass(frozen=True, eq=False)
class FeatureGates:
    """The weights of feature gates that read one input: eq. 8 and 9.

    Attributes:
        down: `B` of all maps, gate after gate, `(width, gates * loras * rank)`.
        up: `A` of all maps, `(gates * loras * rank, width)`.
        logits: To the logits of the mixtures, `gates * loras` columns.
        num_loras: Number of maps of a gate.
    """

    down: Weight
    up: Weight
    logits: LinearMap
    num_loras: int


@dataclass(frozen=True, eq=False)
class GatedExperts:
    """Experts that read one input, each kind of them through its feature gate: eq. 4.

    Attributes:
        reads: Number of the input.
        counts: How many experts read the input through each of the feature gates.
        kernels: Those of the experts' MLPs, as `parallel_mlps` takes them.
        biases: Their biases.
        feature_gates: The feature gates, or None for none.
    """

    reads: int
    counts: Sequence[int]
    kernels: Sequence[Weight]
    biases: Sequence[Weight]
    feature_gates: FeatureGates | None


@dataclass(frozen=True, eq=False)
class Gates:
    """Gates over experts of the level that decide by the same inputs.

    Attributes:
        reads: Numbers of the inputs, which are concatenated for the gates.
        logits: To the logits, gate after gate; as many columns as experts are seen.
        sees: For each gate, the numbers of the experts that it sees, in that order.
    """

    reads: Sequence[int]
    logits: LinearMap
    sees: Sequence[Sequence[int]]


@dataclass(frozen=True, eq=False)
class Level:
    """The experts and the gates of a level.

    Attributes:
        experts: The experts; numbered one after the other.
        activate: From the outputs of the experts' MLPs to the experts' outputs.
        gates: The gates (eq. 3).
        self_gates: The self gates that are added to them, as many; or none (eq. 11).
            One that sees one expert is a sigmoid.
    """

    experts: Sequence[GatedExperts]
    activate: Callable[[Tensor], Tensor]
    gates: Sequence[Gates]
    self_gates: Sequence[Gates]

    @property
    def kinds(self) -> list[Sequence[Gates]]:
        """The gates and, if there are any, the self gates."""
        return [self.gates, self.self_gates] if self.self_gates else [self.gates]


def level(inputs: Sequence[Tensor], parts: Level) -> list[Tensor]:
    """Computes a level: the output of every gate, with its self gate.

    All logits are one product, and all experts one batched product for each of their
    layers.

    Args:
        inputs: What experts and gates read, `(batch, width)` each.
        parts: The experts and the gates.

    Returns:
        `(batch, D)` of each gate.
    """
    of_features, *logits = _logits(inputs, parts)
    x = ops.stack(inputs, axis=0)
    experts = _experts(_gated(x, parts.experts, of_features), parts)
    number = int(experts.shape[1])
    weights = [
        _weights(of_gates, _slots(gates), sigmoid=gates is parts.self_gates)
        for gates, of_gates in zip(parts.kinds, logits, strict=True)
    ]
    places = [_places(gates, number) for gates in parts.kinds]
    # A product with zeros and ones: each weight to its expert, the two kinds added up.
    placed = ops.matmul(_joined(weights), np.concatenate(places))
    placed = ops.reshape(placed, (-1, placed.shape[-1] // number, number))
    outputs: list[Tensor] = ops.unstack(ops.matmul(placed, experts), axis=1)
    return outputs


def _logits(inputs: Sequence[Tensor], parts: Level) -> list[Tensor]:
    """The logits of feature gates, gates and self gates, `(batch, columns)` each.

    Where a gate sees fewer experts than others of its kind, its last are minus
    infinity. But the second of a self gate over one expert is 0, which makes of a
    softmax a sigmoid.
    """
    feature_gates = [
        _reading_all(_of_mixtures(one.feature_gates), [one.reads], len(inputs))
        for one in parts.experts
        if one.feature_gates is not None
    ]
    kinds: list[list[LinearMap]] = []
    for gates in parts.kinds:
        kinds.append([])
        for one in gates:
            seen, is_self = len(one.sees[0]), gates is parts.self_gates
            logits = np.full(_slots(gates), -np.inf, np.float32)
            logits[: 2 if is_self and seen == 1 else seen] = 0.0
            padded = _padded(one.logits, seen, logits)
            kinds[-1].append(_reading_all(padded, one.reads, len(inputs)))
    maps = [feature_gates, *kinds]
    every = [one for kind in maps for one in kind]
    logits = ops.matmul(_joined(inputs), _joined([one.kernel for one in every]))
    logits = ops.add(logits, _joined([one.bias for one in every]))
    return split_columns(logits, [sum(one.columns for one in kind) for kind in maps])


def _of_mixtures(gates: FeatureGates) -> LinearMap:
    """To the logits of mixtures; of two maps to the difference, for a sigmoid."""
    if gates.num_loras != 2:
        return gates.logits
    kernel, bias = map(ops.convert_to_tensor, (gates.logits.kernel, gates.logits.bias))
    return LinearMap(kernel[:, ::2] - kernel[:, 1::2], bias[::2] - bias[1::2])


def _weights(logits: Tensor, slots: int, *, sigmoid: bool) -> Tensor:
    """From logits of gates to the weights of experts, both `(batch, gates * slots)`."""
    if sigmoid and slots == 1:
        return ops.sigmoid(logits)
    columns = logits.shape[-1]
    weights = ops.softmax(ops.reshape(logits, (-1, columns // slots, slots)), axis=-1)
    return ops.reshape(weights, (-1, columns))


def _padded(
    linear_map: LinearMap, columns: int, added: npt.NDArray[np.float32]
) -> LinearMap:
    """A map with more columns.

    Args:
        linear_map: The map.
        columns: In groups of how many its columns come.
        added: What is added to a group; where the kernel has no column, all there is.
    """
    groups = linear_map.columns // columns
    widen = np.eye(columns, len(added), dtype=np.float32)
    widen = np.kron(np.eye(groups, dtype=np.float32), widen)
    bias = ops.matmul(ops.expand_dims(linear_map.bias, 0), widen)
    return LinearMap(
        ops.matmul(linear_map.kernel, widen),
        ops.reshape(bias, (-1,)) + np.tile(added, groups),
    )


def _reading_all(
    linear_map: LinearMap, reads: Sequence[int], num_inputs: int
) -> LinearMap:
    """Extends a map that reads some inputs to one that reads all."""
    width = linear_map.kernel.shape[0] // len(reads)
    rows = np.eye(num_inputs, dtype=np.float32)[:, list(reads)]
    rows = np.kron(rows, np.eye(width, dtype=np.float32))
    return LinearMap(ops.matmul(rows, linear_map.kernel), linear_map.bias)


def _slots(gates: Sequence[Gates]) -> int:
    """The largest number of experts that any of the gates sees, as columns."""
    return max(len(seen) for one in gates for seen in one.sees)


def _places(gates: Sequence[Gates], num_experts: int) -> npt.NDArray[np.float32]:
    """A matrix of zeros and ones, from the slots of each gate to all its experts."""
    sees = [seen for one in gates for seen in one.sees]
    places = np.zeros((len(sees), _slots(gates), len(sees), num_experts), np.float32)
    for gate, seen in enumerate(sees):
        places[gate, np.arange(len(seen)), gate, seen] = 1.0
    return places.reshape(len(sees) * _slots(gates), -1)


def _gated(x: Tensor, experts: Sequence[GatedExperts], logits: Tensor) -> Tensor:
    """What goes through the feature gates, `(gates, batch, width)`: eq. 8 to 10.

    Args:
        x: The inputs, `(inputs, batch, width)`.
        experts: The experts.
        logits: Of the mixtures; see `_shares_but_last`.
    """
    x = take_each(x, [one.reads for one in experts for _ in one.counts])
    gates = [one.feature_gates for one in experts if one.feature_gates is not None]
    if not gates:
        return x
    loras = gates[0].num_loras
    numbers = [one.logits.columns for one in gates]
    down = [stack_kernel(one.down, n) for one, n in zip(gates, numbers, strict=True)]
    up = [_stacked_rows(one.up, n) for one, n in zip(gates, numbers, strict=True)]
    products = _down_products(x, _by_lora(down, loras))
    # Half of it, since 2 * Sigmoid(x) = 1 + tanh(x / 2).
    values = ops.tanh(ops.matmul(products, 0.5 * _by_lora(up, loras)))
    shares = _shares_but_last(logits, loras)
    return x * (1.0 + weighted_mean(ops.unstack(values, axis=0), shares))


def _down_products(x: Tensor, down: Tensor) -> Tensor:
    """`v B` of all maps, `(loras, gates, batch, rank)`."""
    if x.shape[0] > 1:
        return ops.matmul(ops.expand_dims(x, 0), down)
    # For one input, this is one wide product, which is faster than many narrow ones.
    loras, gates, width, rank = down.shape
    side_by_side = ops.reshape(ops.transpose(down, (2, 0, 1, 3)), (width, -1))
    products = ops.reshape(ops.matmul(x, side_by_side), (-1, loras, gates, rank))
    return ops.transpose(products, (1, 2, 0, 3))


def _stacked_rows(kernel: Weight, number: int) -> Tensor:
    """Stacks kernels that lie below one another, `(number * rank, width)`."""
    kernel = ops.convert_to_tensor(kernel)
    return ops.reshape(kernel, (number, -1, kernel.shape[-1]))


def _by_lora(stacked: Sequence[Tensor], loras: int) -> Tensor:
    """Matrices, map after map of each gate, as `(loras, gates, ...)`."""
    joined = ops.concatenate(stacked, axis=0)
    number, *shape = joined.shape
    apart = ops.reshape(joined, (number // loras, loras, *shape))
    return ops.transpose(apart, (1, 0, 2, 3))


def _shares_but_last(logits: Tensor, loras: int) -> list[Tensor]:
    """The weights of the maps in the mixtures, `(gates, batch, 1)` each.

    Args:
        logits: `(batch, gates * loras)`; of two maps the differences.
        loras: Number of maps of a gate.
    """
    if loras == 1:
        return []
    if loras == 2:
        shares = ops.transpose(ops.sigmoid(logits))
        return [ops.expand_dims(shares, -1)]
    gates = logits.shape[-1] // loras
    shares = ops.softmax(ops.reshape(logits, (-1, gates, loras)), axis=-1)
    shares = ops.reshape(ops.transpose(shares, (2, 1, 0)), (loras, gates, -1, 1))
    return list(ops.unstack(shares, axis=0)[:-1])


def _experts(x: Tensor, parts: Level) -> Tensor:
    """The outputs of all experts, `(batch, n, D)`, from what each kind reads."""
    counts = [count for one in parts.experts for count in one.counts]
    together = counts[0] if len(set(counts)) == 1 else 1
    if together == 1:
        x = take_each(x, [i for i, count in enumerate(counts) for _ in range(count)])
    numbers = [sum(one.counts) for one in parts.experts]
    first, *others = zip(*(one.kernels for one in parts.experts), strict=True)
    first_bias, *other_biases = zip(*(one.biases for one in parts.experts), strict=True)
    first_numbers = [number // together for number in numbers]
    x = stacked_mlps(
        x,
        [_stacked(stack_kernel, first, first_numbers)],
        [_stacked(stack_bias, first_bias, first_numbers)],
    )
    x = _take_apart(x, together)
    if others:
        x = stacked_mlps(
            ops.relu(x),
            [_stacked(stack_kernel, one, numbers) for one in others],
            [_stacked(stack_bias, one, numbers) for one in other_biases],
        )
    return ops.transpose(parts.activate(x), (1, 0, 2))


def _stacked(
    stack: Callable[[Weight, int], Tensor],
    weights: Sequence[Weight],
    numbers: Sequence[int],
) -> Tensor:
    each = [stack(one, n) for one, n in zip(weights, numbers, strict=True)]
    return ops.concatenate(each, axis=0)


def _take_apart(x: Tensor, number: int) -> Tensor:
    """`(n, batch, number * units)` as `(n * number, batch, units)`."""
    if number == 1:
        return x
    n, _, width = x.shape
    x = ops.transpose(ops.reshape(x, (n, -1, number, width // number)), (0, 2, 1, 3))
    return ops.reshape(x, (n * number, -1, width // number))


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else ops.concatenate(tensors, axis=-1)
