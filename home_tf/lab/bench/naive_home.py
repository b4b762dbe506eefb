"""HoME as one would write it first: a Keras layer for each expert, gate and LoRA.

The benchmarks measure `home_tf.layers.HoME` against it. The two have the same weights
in another arrangement: given those of the one, the other computes the same.
"""

from functools import partial
from typing import Any

import numpy as np

from home_tf.backend import keras, ops
from home_tf.layers import HoME
from home_tf.layers.layer import Layer

SHARED = "shared"


class NaiveHoME(Layer):
    """HoME with all its switches on, layer by layer.

    Args:
        home: The `HoME` layer whose arguments it takes.
    """

    def __init__(self, home: HoME, **kwargs: Any) -> None:
        super().__init__(dtype=home.dtype_policy, **kwargs)
        self.task_groups = home.task_groups
        self.units = home.expert_units
        self.rank_of = home.rank_of
        self.num_loras = home.num_loras
        self.counts = {SHARED: home.num_shared_experts}
        self.counts |= dict.fromkeys(home.groups, home.num_group_experts)
        self.counts |= {_own(t): home.num_task_experts for t in home.tasks}
        self.owners = [SHARED, *home.groups]
        self.feature_gates: dict[str, _FeatureGate] = {}
        self.experts: dict[str, _Expert] = {}
        self.gates: dict[str, Any] = {}

    def build(self, input_shape: Any) -> None:
        """Creates the layers of both levels."""
        levels = {"meta": self.owners, "task": list(self.counts)}
        widths = {"meta": input_shape[-1], "task": self.units[-1]}
        for level, owners in levels.items():
            for owner in owners:
                self._make(level, owner, widths[level])
        shared, own = self.counts[SHARED], self.counts[self.owners[1]]
        everything = shared + own * (len(self.owners) - 1)
        for owner in self.owners:
            seen = everything if owner == SHARED else shared + own
            self._make_gates(f"meta:{owner}", seen, self.counts[owner])
        for tasks in self.task_groups.values():
            for task in tasks:
                mine = self.counts[_own(task)]
                self._make_gates(f"task:{_own(task)}", shared + own + mine, mine)
        self.built = True

    def _make(self, level: str, owner: str, width: int) -> None:
        rank = self.rank_of(level) or width // self.num_loras
        name = f"{level}:{owner}"
        dtype = self.dtype_policy
        self.feature_gates[name] = _FeatureGate(
            width, rank, self.num_loras, dtype=dtype
        )
        for number in range(self.counts[owner]):
            self.experts[f"{name}:{number}"] = _Expert(self.units, dtype=dtype)

    def _make_gates(self, name: str, seen: int, own: int) -> None:
        dense = partial(keras.layers.Dense, dtype=self.dtype_policy)
        self.gates[name] = dense(seen, activation="softmax")
        self.gates[f"{name}:self"] = dense(
            own, activation="sigmoid" if own == 1 else "softmax"
        )

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        """`(batch, features)` to `{task: (batch, D)}`."""
        experts = {
            owner: self._experts(f"meta:{owner}", inputs, training)
            for owner in self.owners
        }
        z = {}
        for owner in self.owners:
            seen = self.owners if owner == SHARED else [SHARED, owner]
            z[owner] = self._mix(
                f"meta:{owner}",
                inputs,
                inputs,
                [expert for other in seen for expert in experts[other]],
                experts[owner],
            )
        outputs = {}
        shared = self._experts(f"task:{SHARED}", z[SHARED], training)
        for group, tasks in self.task_groups.items():
            of_group = self._experts(f"task:{group}", z[group], training)
            pair = ops.concatenate([z[group], z[SHARED]], axis=-1)
            for task in tasks:
                name = f"task:{_own(task)}"
                own = self._experts(name, z[group], training)
                seen_experts = [*shared, *of_group, *own]
                outputs[task] = self._mix(name, pair, z[group], seen_experts, own)
        return outputs

    def _experts(self, name: str, x: Any, training: bool | None) -> list[Any]:
        gated = x * self.feature_gates[name](x)
        count = self.counts[name.split(":", 1)[1]]
        return [
            self.experts[f"{name}:{number}"](gated, training=training)
            for number in range(count)
        ]

    def _mix(
        self, name: str, x: Any, self_x: Any, seen: list[Any], own: list[Any]
    ) -> Any:
        mixed = _weighted_sum(self.gates[name](x), seen)
        return mixed + _weighted_sum(self.gates[f"{name}:self"](self_x), own)


class _Expert(Layer):
    def __init__(self, units: tuple[int, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        dense = partial(keras.layers.Dense, dtype=self.dtype_policy)
        self.dense_layers = [dense(width, activation="relu") for width in units[:-1]]
        self.dense_layers.append(dense(units[-1], use_bias=False))
        self.batch_norm = keras.layers.BatchNormalization(
            momentum=0.9, dtype=self.dtype_policy
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = inputs
        for dense in self.dense_layers:
            x = dense(x)
        return ops.silu(self.batch_norm(x, training=training))


class _FeatureGate(Layer):
    def __init__(self, width: int, rank: int, num_loras: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        dense = partial(keras.layers.Dense, dtype=self.dtype_policy)
        self.downs = [dense(rank, use_bias=False) for _ in range(num_loras)]
        self.ups = [
            dense(width, use_bias=False, activation="sigmoid") for _ in range(num_loras)
        ]
        self.gate = dense(num_loras, activation="softmax")

    def call(self, inputs: Any) -> Any:
        loras = [
            2.0 * up(down(inputs))
            for down, up in zip(self.downs, self.ups, strict=True)
        ]
        return _weighted_sum(self.gate(inputs), loras)


def _weighted_sum(weights: Any, values: list[Any]) -> Any:
    return ops.sum(ops.expand_dims(weights, -1) * ops.stack(values, axis=1), axis=1)


def _own(task: str) -> str:
    return f"task:{task}"


def copy_weights(home: HoME, naive: NaiveHoME) -> None:
    """Gives a built `NaiveHoME` the weights of a built `HoME`."""
    owners = naive.owners
    _copy_experts(home.meta_experts, naive, "meta", owners)
    _copy_experts(home.task_shared_experts, naive, "task", [SHARED])
    for group, tasks in home.task_groups.items():
        readers = [group, *map(_own, tasks)]
        _copy_experts(home.task_experts[group], naive, "task", readers)
        names = [f"task:{_own(task)}" for task in tasks]
        _copy_gates(home.task_gates[group], naive, names)
        _copy_gates(home.task_self_gates[group], naive, _self(names))
    names = [f"meta:{owner}" for owner in owners]
    _copy_gates(home.meta_shared_gate, naive, names[:1])
    _copy_gates(home.meta_group_gates, naive, names[1:])
    _copy_gates(home.meta_shared_self_gate, naive, _self(names[:1]))
    _copy_gates(home.meta_group_self_gates, naive, _self(names[1:]))


def _self(names: list[str]) -> list[str]:
    return [f"{name}:self" for name in names]


def _copy_experts(gated: Any, naive: NaiveHoME, level: str, owners: list[str]) -> None:
    bank, maps = gated.experts, gated.feature_gates
    names = [
        f"{level}:{owner}:{number}"
        for owner in owners
        for number in range(naive.counts[owner])
    ]
    norm = bank.batch_norm
    weights = [*bank.mlps.weights, norm.gamma, norm.beta]
    weights += [norm.moving_mean, norm.moving_variance]
    depths = len(bank.units)
    for i, name in enumerate(names):
        mine = [_part(weight, len(names), i) for weight in weights]
        expert = naive.experts[name]
        for depth, dense in enumerate(expert.dense_layers):
            last = depth == depths - 1
            dense.set_weights(mine[2 * depth : 2 * depth + (1 if last else 2)])
        expert.batch_norm.set_weights(mine[-4:])
    for i, owner in enumerate(owners):
        gate = naive.feature_gates[f"{level}:{owner}"]
        gate.gate.set_weights([_part(w, len(owners), i) for w in maps.gate.weights])
        for lora in range(maps.num_loras):
            place, of = i * maps.num_loras + lora, len(owners) * maps.num_loras
            gate.downs[lora].set_weights([_part(maps.down_kernel, of, place)])
            up = _part(np.transpose(np.array(maps.up_kernel)), of, place)
            gate.ups[lora].set_weights([np.transpose(up)])


def _copy_gates(gates: Any, naive: NaiveHoME, names: list[str]) -> None:
    for i, name in enumerate(names):
        naive.gates[name].set_weights([_part(w, len(names), i) for w in gates.weights])


def _part(weight: Any, number: int, place: int) -> Any:
    return np.split(np.array(weight), number, axis=-1)[place]
