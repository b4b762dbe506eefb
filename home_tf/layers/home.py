"""The whole of HoME as one layer: two levels of experts, gates between them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.layers.expert_bank import ExpertBank
from home_tf.layers.expert_gate import ExpertGate
from home_tf.layers.feature_gate import FeatureGate
from home_tf.layers.initialization import split_initializer
from home_tf.layers.layer import (
    Layer,
    check_choice,
    check_positive,
    check_units,
    last_dimension,
)
from home_tf.layers.self_gate import SelfGate

SHARED = "shared"
LEVELS = ("both", "meta", "none")


@keras.saving.register_keras_serializable(package="home_tf")
class HoME(Layer):
    """Hierarchy of Multi-Gate Experts: from ranking features to task representations.

    The meta level (eq. 6) has shared experts and experts for each task group. A group's
    gate sees the shared experts and its own, and the shared gate sees all; this fixed
    visibility is the hierarchy mask. With `v` the input,

        z_g  = Gate_g(v; E_shared, E_g) + SelfGate_g(v; E_g)           for every group g
        z_s  = Gate_s(v; E_shared, E_1, E_2, ...) + SelfGate_s(v; E_shared)

    The task level (eq. 7) has shared experts, experts for each group and for each task:

        h_t  = Gate_t([z_g, z_s]; E2_shared(z_s), E2_g(z_g), E2_t(z_g))
               + SelfGate_t(z_g; E2_t(z_g))                   for every task t of g

    Every group of experts reads its input through a feature gate of its own (eq. 8-10).

    Args:
        task_groups: `{group: [task, ...]}`. Any number of groups; every task in one.
        expert_units: Widths of an expert's layers, at both levels; the last is `D`.
        num_shared_experts: Number of shared experts of each level.
        num_group_experts: Number of experts of each group, at each level.
        num_task_experts: Number of experts of each task (task level).
        expert: `"home"` (BatchNorm and Swish) or `"relu"`; see `ExpertBank`.
        momentum: Momentum of the experts' BatchNorm.
        gate_units: Widths of the hidden layers of the expert gates and self gates.
        feature_gate: Levels with feature gates: `"both"`, `"meta"` (w/o fg2) or
            `"none"` (w/o fg).
        feature_gate_scope: `"group"`, one feature gate for each group of experts, or
            `"expert"`, one for each expert.
        num_loras: Number of low-rank maps in a feature gate.
        lora_rank: Rank of these maps; by default the input width over `num_loras`.
        self_gate: Levels with self gates: `"both"`, `"meta"` or `"none"` (w/o sg).
        hierarchy_mask: If False (w/o mask), every gate sees all experts of its level.
        kernel_initializer: Initialiser of all kernels; every expert and gate draws its
            own values, also when a seed is given.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, features)`.

    Output shape:
        Dict `{task: (batch, D)}`, in the order of `task_groups`.

    Raises:
        ValueError: If an argument is out of its range, a task is named twice, a group
            is empty or named "shared", or `num_loras` divides the input width or `D`
            not, while `lora_rank` is not given.

    Example:
        >>> home = HoME({"watch": ["long_view"], "inter": ["click", "like"]})
        >>> representations = home(features)
        >>> logits = TaskTowers(home.tasks)(representations)

    References:
        HoME (arXiv 2408.05430), eq. 4-11.
    """

    def __init__(
        self,
        task_groups: Mapping[str, Sequence[str]],
        *,
        expert_units: Sequence[int] = (128, 64),
        num_shared_experts: int = 2,
        num_group_experts: int = 2,
        num_task_experts: int = 1,
        expert: str = "home",
        momentum: float = 0.9,
        gate_units: Sequence[int] = (),
        feature_gate: str = "both",
        feature_gate_scope: str = "group",
        num_loras: int = 2,
        lora_rank: int | None = None,
        self_gate: str = "both",
        hierarchy_mask: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.task_groups = check_task_groups(task_groups)
        self.expert_units = check_units("expert_units", expert_units, at_least=1)
        self.num_shared_experts = check_positive(
            "num_shared_experts", num_shared_experts
        )
        self.num_group_experts = check_positive("num_group_experts", num_group_experts)
        self.num_task_experts = check_positive("num_task_experts", num_task_experts)
        self.expert = expert
        self.momentum = momentum
        self.gate_units = check_units("gate_units", gate_units)
        self.feature_gate = check_choice("feature_gate", feature_gate, LEVELS)
        self.feature_gate_scope = check_choice(
            "feature_gate_scope", feature_gate_scope, ("group", "expert")
        )
        self.num_loras = check_positive("num_loras", num_loras)
        self.lora_rank = (
            None if lora_rank is None else check_positive("lora_rank", lora_rank)
        )
        self.self_gate = check_choice("self_gate", self_gate, LEVELS)
        self.hierarchy_mask = bool(hierarchy_mask)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self._initializers = self._count_out_initializers()
        self._make_meta_level()
        self._make_task_level()

    @property
    def groups(self) -> list[str]:
        """Names of the task groups."""
        return list(self.task_groups)

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks, group by group."""
        return [task for tasks in self.task_groups.values() for task in tasks]

    def _count_out_initializers(self) -> Iterator[Any]:
        owners = 2 * (len(self.groups) + 1) + len(self.tasks)
        # A bank of experts, a gate and a self gate, and at most one feature gate an
        # expert.
        most = max(
            self.num_shared_experts, self.num_group_experts, self.num_task_experts
        )
        return iter(split_initializer(self.kernel_initializer, owners * (3 + most)))

    def _make_meta_level(self) -> None:
        self.meta_feature_gates: dict[str, FeatureGate] = {}
        self.meta_experts: dict[str, ExpertBank] = {}
        self.meta_gates: dict[str, ExpertGate] = {}
        self.meta_self_gates: dict[str, ExpertGate] = {}
        for owner in (SHARED, *self.groups):
            count = self._num_experts(owner)
            self._make_experts("meta", owner)
            visible = sum(map(self._num_experts, self._visible_in_meta_level(owner)))
            self.meta_gates[owner] = self._make_gate(ExpertGate, visible)
            if self.self_gate != "none":
                self.meta_self_gates[owner] = self._make_gate(SelfGate, count)

    def _make_task_level(self) -> None:
        self.task_feature_gates: dict[str, FeatureGate] = {}
        self.task_experts: dict[str, ExpertBank] = {}
        self.task_gates: dict[str, ExpertGate] = {}
        self.task_self_gates: dict[str, ExpertGate] = {}
        for owner in (SHARED, *self.groups, *map(_task_owner, self.tasks)):
            self._make_experts("task", owner)
        for task in self.tasks:
            visible = sum(map(self._num_experts, self._visible_in_task_level(task)))
            self.task_gates[task] = self._make_gate(ExpertGate, visible)
            if self.self_gate == "both":
                self.task_self_gates[task] = self._make_gate(
                    SelfGate, self.num_task_experts
                )

    def _num_experts(self, owner: str) -> int:
        if owner == SHARED:
            return self.num_shared_experts
        return self.num_group_experts if owner in self.groups else self.num_task_experts

    def _visible_in_meta_level(self, owner: str) -> list[str]:
        """The owners whose experts a gate of the meta level sees (eq. 6)."""
        if owner == SHARED or not self.hierarchy_mask:
            return [SHARED, *self.groups]
        return [SHARED, owner]

    def _visible_in_task_level(self, task: str) -> list[str]:
        """The owners whose experts a gate of the task level sees (eq. 7)."""
        if not self.hierarchy_mask:
            return [SHARED, *self.groups, *map(_task_owner, self.tasks)]
        return [SHARED, self._group_of(task), _task_owner(task)]

    def _group_of(self, task: str) -> str:
        return next(group for group, tasks in self.task_groups.items() if task in tasks)

    def _make_experts(self, level: str, owner: str) -> None:
        banks = self.meta_experts if level == "meta" else self.task_experts
        gates = self.meta_feature_gates if level == "meta" else self.task_feature_gates
        banks[owner] = ExpertBank(
            self._num_experts(owner),
            units=self.expert_units,
            expert=self.expert,
            momentum=self.momentum,
            kernel_initializer=next(self._initializers),
            dtype=self.dtype_policy,
        )
        if self.feature_gate == "both" or self.feature_gate == level:
            # One flat dict: Keras saves no layers in containers inside containers.
            for name in self._feature_gate_names(owner):
                gates[name] = self._make_feature_gate()

    def _feature_gate_names(self, owner: str) -> list[str]:
        number = self._num_experts(owner) if self.feature_gate_scope == "expert" else 1
        return [f"{owner}:{index}" for index in range(number)]

    def _make_feature_gate(self) -> FeatureGate:
        return FeatureGate(
            num_loras=self.num_loras,
            rank=self.lora_rank,
            kernel_initializer=next(self._initializers),
            dtype=self.dtype_policy,
        )

    def _make_gate(self, kind: type[ExpertGate], num_experts: int) -> ExpertGate:
        return kind(
            num_experts,
            hidden_units=self.gate_units,
            kernel_initializer=next(self._initializers),
            dtype=self.dtype_policy,
        )

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the weights of both levels."""
        v = (None, last_dimension(self, input_shape))
        z = (None, self.expert_units[-1])
        z_pair = (None, 2 * self.expert_units[-1])
        _build_all(self.meta_feature_gates.values(), v)
        _build_all(self.task_feature_gates.values(), z)
        _build_all(self.meta_experts.values(), v)
        _build_all(self.task_experts.values(), z)
        _build_all(self.meta_gates.values(), v)
        _build_all(self.meta_self_gates.values(), v)
        _build_all(self.task_gates.values(), z_pair)
        _build_all(self.task_self_gates.values(), z)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        """Computes every task's representation.

        Args:
            inputs: `v`, the ranking features, `(batch, features)`.
            training: Whether the experts' BatchNorm uses the moments of the batch.

        Returns:
            `{task: (batch, D)}`.
        """
        meta = self._call_meta_level(inputs, training)
        return self._call_task_level(meta, training)

    def _call_meta_level(self, v: Any, training: bool | None) -> dict[str, Any]:
        experts = {
            owner: bank(self._gated("meta", owner, v), training=training)
            for owner, bank in self.meta_experts.items()
        }
        outputs = {}
        for owner, gate in self.meta_gates.items():
            visible = _together(experts, self._visible_in_meta_level(owner))
            z = gate(v, visible)  # eq. 6
            if owner in self.meta_self_gates:
                z = z + self.meta_self_gates[owner](v, experts[owner])  # eq. 11
            outputs[owner] = z
        return outputs

    def _call_task_level(
        self, meta: dict[str, Any], training: bool | None
    ) -> dict[str, Any]:
        inputs = {
            **meta,
            **{_task_owner(task): meta[self._group_of(task)] for task in self.tasks},
        }
        experts = {
            owner: bank(self._gated("task", owner, inputs[owner]), training=training)
            for owner, bank in self.task_experts.items()
        }
        outputs = {}
        for task, gate in self.task_gates.items():
            z = meta[self._group_of(task)]
            visible = _together(experts, self._visible_in_task_level(task))
            h = gate(ops.concatenate([z, meta[SHARED]], axis=-1), visible)  # eq. 7
            if task in self.task_self_gates:
                h = h + self.task_self_gates[task](z, experts[_task_owner(task)])
            outputs[task] = h
        return outputs

    def _gated(self, level: str, owner: str, x: Any) -> Any:
        """The experts' input behind their feature gates (eq. 10)."""
        gates = self.meta_feature_gates if level == "meta" else self.task_feature_gates
        names = self._feature_gate_names(owner)
        if names[0] not in gates:
            return x
        if len(names) == 1:
            return gates[names[0]](x)
        return ops.stack([gates[name](x) for name in names], axis=1)

    def compute_output_shape(
        self, input_shape: Sequence[int | None]
    ) -> dict[str, tuple[Any, ...]]:
        """`{task: (batch, D)}`."""
        return dict.fromkeys(self.tasks, (input_shape[0], self.expert_units[-1]))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            # As pairs: some savers sort the keys of a dict, and the order of the groups
            # is the order of the weights.
            "task_groups": [
                [name, list(tasks)] for name, tasks in self.task_groups.items()
            ],
            "expert_units": list(self.expert_units),
            "num_shared_experts": self.num_shared_experts,
            "num_group_experts": self.num_group_experts,
            "num_task_experts": self.num_task_experts,
            "expert": self.expert,
            "momentum": self.momentum,
            "gate_units": list(self.gate_units),
            "feature_gate": self.feature_gate,
            "feature_gate_scope": self.feature_gate_scope,
            "num_loras": self.num_loras,
            "lora_rank": self.lora_rank,
            "self_gate": self.self_gate,
            "hierarchy_mask": self.hierarchy_mask,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "HoME":
        """Rebuilds the layer from `get_config()`."""
        return cls(**{**config, "task_groups": dict(config["task_groups"])})


def check_task_groups(task_groups: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Returns the groups as a dict of lists if they are a partition of the tasks.

    Raises:
        ValueError: If there is no group, a group is empty, is no list of names, or is
            named "shared", or a task is named twice.
    """
    if not isinstance(task_groups, Mapping) or not task_groups:
        raise ValueError(
            "`task_groups` must be a dict {group: [task, ...]} with at least one "
            f"group. Received: {task_groups!r}"
        )
    if SHARED in task_groups:
        raise ValueError(
            f"`task_groups` must not name a group {SHARED!r}: it is the name of the "
            f"experts that all groups share. Received: groups {list(task_groups)}"
        )
    seen: dict[str, str] = {}
    for group, tasks in task_groups.items():
        if isinstance(tasks, str) or not tasks:
            raise ValueError(
                f"`task_groups` must list at least one task for group {group!r}. "
                f"Received: {tasks!r}"
            )
        for task in tasks:
            if task in seen:
                raise ValueError(
                    "`task_groups` must name every task once. Received: task "
                    f"{task!r} in group {seen[task]!r} and in group {group!r}"
                )
            seen[task] = group
    return {group: list(tasks) for group, tasks in task_groups.items()}


def _task_owner(task: str) -> str:
    # A group may have the name of a task: the experts of the two must not be mixed up.
    return f"task:{task}"


def _together(experts: dict[str, Any], owners: list[str]) -> Any:
    """Experts of several owners side by side: `(batch, n, D)`."""
    return ops.concatenate([experts[owner] for owner in owners], axis=1)


def _build_all(layers: Any, shape: Any) -> None:
    for layer in layers:
        layer.build(shape)
