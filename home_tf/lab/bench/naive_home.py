"""A naive HoME: one Keras layer for each expert, gate and LoRA.

The benchmarks measure `home_tf.layers.HoME` against it. Both have the same weights in
different arrangements, and compute the same outputs. The code is similar, but nothing
is merged here.
"""

from functools import partial
from typing import Any

import numpy as np

from home_tf.backend import keras, ops
from home_tf.layers import Expert, HoME
from home_tf.layers.layer import Layer
from home_tf.types import Shape, Tensor

SHARED = "shared"


class _Naive(Layer):
    """A layer whose parts are built as they are called."""

    def build(self, input_shape: Shape) -> None:
        """Does nothing: the parts build themselves."""
        self.built = True


class NaiveHoME(_Naive):
    """HoME with all its switches on, layer by layer.

    Args:
        home: The `HoME` layer whose arguments it takes.
    """

    def __init__(self, home: HoME, **kwargs: Any) -> None:
        super().__init__(dtype=home.dtype_policy, **kwargs)
        self.task_groups = home.task_groups
        self.owners = [SHARED, *home.groups]
        shared, of_group = home.num_shared_experts, home.num_group_experts
        own, visible = home.num_task_experts, shared + of_group
        make = partial(
            NaiveExperts,
            expert=home.expert,
            num_loras=home.num_loras,
            dtype=self.dtype_policy,
        )
        meta, task = home.rank_of("meta"), home.rank_of("task")
        everything = shared + of_group * len(home.groups)
        self.meta_level = {SHARED: make(shared, everything, rank=meta)}
        self.task_level = {SHARED: make(shared, rank=task)}
        for group, tasks in home.task_groups.items():
            self.meta_level[group] = make(of_group, visible, rank=meta)
            self.task_level[group] = make(of_group, rank=task)
            for name in map(_own, tasks):
                self.task_level[name] = make(own, visible + own, rank=task)

    def call(self, inputs: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """`(batch, features)` to `{task: (batch, D)}`."""
        z = self._call_meta_level(inputs, training)
        return self._call_task_level(z, training)

    def _call_meta_level(self, v: Tensor, training: bool | None) -> dict[str, Tensor]:
        parts = self.meta_level
        e = {owner: part.outputs(v, training) for owner, part in parts.items()}
        z = {}
        for owner, part in parts.items():
            seen = self.owners if owner == SHARED else [SHARED, owner]
            visible = [expert for other in seen for expert in e[other]]
            z[owner] = part.gate(v, visible) + part.self_gate(v, e[owner])
        return z

    def _call_task_level(
        self, z: dict[str, Tensor], training: bool | None
    ) -> dict[str, Tensor]:
        parts = self.task_level
        e_shared = parts[SHARED].outputs(z[SHARED], training)
        outputs = {}
        for group, tasks in self.task_groups.items():
            e_group = parts[group].outputs(z[group], training)
            pair = ops.concatenate([z[group], z[SHARED]], axis=-1)
            for task in tasks:
                part = parts[_own(task)]
                e = part.outputs(z[group], training)
                h = part.gate(pair, [*e_shared, *e_group, *e])
                outputs[task] = h + part.self_gate(z[group], e)
        return outputs


class NaiveExperts(_Naive):
    """An owner's experts behind their feature gate, and its gates, if any."""

    def __init__(
        self,
        num_experts: int,
        num_visible: int = 0,
        *,
        expert: Expert,
        num_loras: int,
        rank: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        self.feature_gate = NaiveFeatureGate(num_loras, rank, dtype=dtype)
        self.experts = [NaiveExpert(expert, dtype=dtype) for _ in range(num_experts)]
        self.gate_layer: Any = None
        self.self_gate_layer: Any = None
        if num_visible:
            dense = partial(keras.layers.Dense, dtype=dtype)
            activation = "sigmoid" if num_experts == 1 else "softmax"
            self.gate_layer = dense(num_visible, activation="softmax")
            self.self_gate_layer = dense(num_experts, activation=activation)

    def outputs(self, x: Tensor, training: bool | None) -> list[Tensor]:
        """Each expert on the gated input, `(batch, D)`."""
        gated = x * self.feature_gate(x)
        return [expert(gated, training=training) for expert in self.experts]

    def gate(self, x: Tensor, experts: list[Tensor]) -> Tensor:
        """The experts, mixed by the gate."""
        return _weighted_sum(self.gate_layer(x), experts)

    def self_gate(self, x: Tensor, experts: list[Tensor]) -> Tensor:
        """The owner's experts, mixed by the self gate."""
        return _weighted_sum(self.self_gate_layer(x), experts)


class NaiveExpert(_Naive):
    """An expert: dense layers, then batch normalisation."""

    def __init__(self, expert: Expert, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        dense = partial(keras.layers.Dense, dtype=self.dtype_policy)
        *hidden, last = expert.units
        self.dense_layers = [dense(width, activation="relu") for width in hidden]
        self.dense_layers.append(dense(last, use_bias=False))
        self.batch_norm = keras.layers.BatchNormalization(
            momentum=expert.batch_norm_momentum,
            epsilon=expert.batch_norm_epsilon,
            dtype=self.dtype_policy,
        )

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """`(batch, features)` to `(batch, D)`."""
        x = inputs
        for dense in self.dense_layers:
            x = dense(x)
        return ops.silu(self.batch_norm(x, training=training))


class NaiveFeatureGate(Layer):
    """A feature gate: two dense layers per LoRA, and one that mixes them."""

    def __init__(self, num_loras: int, rank: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_loras, self.rank = num_loras, rank

    def build(self, input_shape: Shape) -> None:
        """Creates the dense layers, whose widths follow from the input's."""
        width, loras = input_shape[-1], range(self.num_loras)
        dense = partial(keras.layers.Dense, dtype=self.dtype_policy)
        rank = self.rank or width // self.num_loras
        self.downs = [dense(rank, use_bias=False) for _ in loras]
        self.ups = [dense(width, use_bias=False, activation="sigmoid") for _ in loras]
        self.gate = dense(self.num_loras, activation="softmax")
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """The gate's value for each element, `(batch, features)`."""
        loras = [
            2.0 * up(down(inputs))
            for down, up in zip(self.downs, self.ups, strict=True)
        ]
        return _weighted_sum(self.gate(inputs), loras)


def _weighted_sum(weights: Tensor, values: list[Tensor]) -> Tensor:
    return ops.sum(ops.expand_dims(weights, -1) * ops.stack(values, axis=1), axis=1)


def _own(task: str) -> str:
    return f"task:{task}"


def copy_weights(home: HoME, naive: NaiveHoME) -> None:
    """Copies the weights of a built `HoME` to a built `NaiveHoME`."""
    for owner, part in home.meta_level.items():
        _copy(part, [naive.meta_level[owner]], [naive.meta_level[owner]])
    _copy(home.task_level[SHARED], [naive.task_level[SHARED]], [])
    for group, tasks in home.task_groups.items():
        own = [naive.task_level[_own(task)] for task in tasks]
        _copy(home.task_level[group], [naive.task_level[group], *own], own)


def _copy(part: Any, readers: list[NaiveExperts], gated: list[NaiveExperts]) -> None:
    """Copies a part of `HoME` to the owners of its experts, and those of its gates."""
    experts = [expert for reader in readers for expert in reader.experts]
    norm = part.experts.batch_norm
    kernels = [*part.experts.mlps.kernels]
    statistics = [norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance]
    for i, expert in enumerate(experts):
        weights = [[_part(kernel, len(experts), i)] for kernel in kernels]
        for own, bias in zip(weights, part.experts.mlps.biases, strict=False):
            own.append(_part(bias, len(experts), i))
        for dense, own in zip(expert.dense_layers, weights, strict=True):
            dense.set_weights(own)
        expert.batch_norm.set_weights([_part(w, len(experts), i) for w in statistics])
    for i, reader in enumerate(readers):
        _copy_feature_gate(part.feature_gates, reader.feature_gate, i, len(readers))
    for i, owner in enumerate(gated):
        for gates, dense in (
            (part.gates, owner.gate_layer),
            (part.self_gates, owner.self_gate_layer),
        ):
            dense.set_weights([_part(w, len(gated), i) for w in gates.weights])


def _copy_feature_gate(
    gates: Any, naive: NaiveFeatureGate, i: int, number: int
) -> None:
    naive.gate.set_weights([_part(w, number, i) for w in gates.gate.weights])
    loras = gates.num_loras
    for lora in range(loras):
        place, of = i * loras + lora, number * loras
        naive.downs[lora].set_weights([_part(gates.down_kernel, of, place)])
        up = _part(np.transpose(np.array(gates.up_kernel)), of, place)
        naive.ups[lora].set_weights([np.transpose(up)])


def _part(weight: Any, number: int, place: int) -> Any:
    return np.split(np.array(weight), number, axis=-1)[place]
