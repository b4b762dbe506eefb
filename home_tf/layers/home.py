"""The whole of HoME as one layer: two levels of experts, gates between them."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.layers.architecture import Architecture
from home_tf.layers.expert_gate import (
    ExpertGate,
    logits_together,
    mix,
    mix_own,
)
from home_tf.layers.gated_experts import GatedExperts
from home_tf.layers.initialization import split_initializer
from home_tf.layers.layer import (
    check_choice,
    check_positive,
    check_units,
)
from home_tf.layers.self_gate import SelfGate

LEVELS = ("both", "meta", "none")


@keras.saving.register_keras_serializable(package="home_tf")
class HoME(Architecture):
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
        expert: `"home"` (BatchNorm and Swish), `"swish"` or `"relu"`; see `ExpertBank`.
        momentum: Momentum of the experts' BatchNorm.
        initial_gamma: What the scales of that BatchNorm start at; see `ExpertBank`.
        gate_units: Widths of the hidden layers of the expert gates and self gates.
        feature_gate: Levels with feature gates: `"both"`, `"meta"` (w/o fg2) or
            `"none"` (w/o fg).
        feature_gate_scope: `"group"`, one feature gate for each group of experts, or
            `"expert"`, one for each expert.
        num_loras: Number of low-rank maps in a feature gate.
        lora_rank: Rank of these maps, or a pair with that of the meta level and that of
            the task level, whose inputs are narrower; by default the input width over
            `num_loras`.
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
        initial_gamma: float = 1.0,
        gate_units: Sequence[int] = (),
        feature_gate: str = "both",
        feature_gate_scope: str = "group",
        num_loras: int = 2,
        lora_rank: int | Sequence[int] | None = None,
        self_gate: str = "both",
        hierarchy_mask: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            task_groups,
            expert_units=expert_units,
            expert=expert,
            momentum=momentum,
            initial_gamma=initial_gamma,
            kernel_initializer=kernel_initializer,
            **kwargs,
        )
        self.num_shared_experts = check_positive(
            "num_shared_experts", num_shared_experts
        )
        self.num_group_experts = check_positive("num_group_experts", num_group_experts)
        self.num_task_experts = check_positive("num_task_experts", num_task_experts)
        self.gate_units = check_units("gate_units", gate_units)
        self.feature_gate = check_choice("feature_gate", feature_gate, LEVELS)
        self.feature_gate_scope = check_choice(
            "feature_gate_scope", feature_gate_scope, ("group", "expert")
        )
        self.num_loras = check_positive("num_loras", num_loras)
        self.lora_rank = _check_rank(lora_rank)
        self.self_gate = check_choice("self_gate", self_gate, LEVELS)
        self.hierarchy_mask = bool(hierarchy_mask)
        # Two levels, each of a bank for each of at most all groups and "shared", a gate
        # and a self gate.
        self._initializers = iter(
            split_initializer(self.kernel_initializer, 6 * (len(self.groups) + 1))
        )
        self._make_meta_level()
        self._make_task_level()

    @property
    def groups(self) -> list[str]:
        """Names of the task groups."""
        return list(self.task_groups)

    def _make_meta_level(self) -> None:
        shared, own = self.num_shared_experts, self.num_group_experts
        all_experts = shared + own * len(self.groups)
        self.meta_experts = self._make_gated_experts(
            "meta", [shared] + [own] * len(self.groups)
        )
        self.meta_shared_gate = self._make_gate(ExpertGate, all_experts)
        self.meta_group_gates = self._make_gate(
            ExpertGate,
            shared + own if self.hierarchy_mask else all_experts,
            len(self.groups),
        )
        self.meta_shared_self_gate = self.meta_group_self_gates = None
        if self.self_gate != "none":
            self.meta_shared_self_gate = self._make_gate(SelfGate, shared)
            self.meta_group_self_gates = self._make_gate(
                SelfGate, own, len(self.groups)
            )

    def _make_task_level(self) -> None:
        shared, own = self.num_shared_experts, self.num_task_experts
        of_group = self.num_group_experts
        self.task_shared_experts = self._make_gated_experts("task", [shared])
        self.task_experts: dict[str, GatedExperts] = {}
        self.task_gates: dict[str, ExpertGate] = {}
        self.task_self_gates: dict[str, ExpertGate] = {}
        all_experts = shared + of_group * len(self.groups) + own * len(self.tasks)
        visible = shared + of_group + own if self.hierarchy_mask else all_experts
        for group, tasks in self.task_groups.items():
            self.task_experts[group] = self._make_gated_experts(
                "task", [of_group] + [own] * len(tasks)
            )
            self.task_gates[group] = self._make_gate(ExpertGate, visible, len(tasks))
            if self.self_gate == "both":
                self.task_self_gates[group] = self._make_gate(SelfGate, own, len(tasks))

    def _make_gated_experts(self, level: str, num_experts: list[int]) -> GatedExperts:
        return GatedExperts(
            num_experts,
            expert_units=self.expert_units,
            expert=self.expert,
            momentum=self.momentum,
            initial_gamma=self.initial_gamma,
            feature_gate=self.feature_gate in ("both", level),
            feature_gate_scope=self.feature_gate_scope,
            num_loras=self.num_loras,
            lora_rank=self.rank_of(level),
            kernel_initializer=next(self._initializers),
            dtype=self.dtype_policy,
        )

    def rank_of(self, level: str) -> int | None:
        """The given rank of the low-rank maps of a level, `"meta"` or `"task"`."""
        if isinstance(self.lora_rank, tuple):
            return self.lora_rank[level == "task"]
        return self.lora_rank

    def _make_gate(
        self, kind: type[ExpertGate], num_experts: int, num_gates: int = 1
    ) -> ExpertGate:
        return kind(
            num_experts,
            num_gates=num_gates,
            hidden_units=self.gate_units,
            kernel_initializer=next(self._initializers),
            dtype=self.dtype_policy,
        )

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the weights of both levels."""
        v = (None, self._fix_width(input_shape))
        z = (None, self.expert_units[-1])
        z_pair = (None, 2 * self.expert_units[-1])
        meta = (self.meta_shared_gate, self.meta_group_gates)
        meta_self = (self.meta_shared_self_gate, self.meta_group_self_gates)
        _build_all([self.meta_experts, *meta, *_present(*meta_self)], v)
        _build_all([self.task_shared_experts, *self.task_experts.values()], z)
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
        z_shared, z_groups = self._call_meta_level(inputs, training)
        return self._call_task_level(z_shared, z_groups, training)

    def _call_meta_level(self, v: Any, training: bool | None) -> tuple[Any, list[Any]]:
        """Eq. 6, 11: `z_s` and a list with `z_g` of every group, each `(batch, D)`."""
        own_gates = _present(self.meta_shared_self_gate, self.meta_group_self_gates)
        of_shared, of_groups, *others = logits_together(
            [
                self.meta_shared_gate,
                self.meta_group_gates,
                *own_gates,
                *self.meta_experts.gates,
            ],
            v,
        )
        of_own, of_maps = others[: len(own_gates)], others[len(own_gates) :]
        own_values = [
            gate.values_of(logits)
            for gate, logits in zip(own_gates, of_own, strict=True)
        ]
        own_shared, own_groups = own_values or (None, None)
        experts = self.meta_experts(v, of_maps, training=training)
        shared, own = _split_experts(experts, self.num_shared_experts)
        z_shared = mix(self.meta_shared_gate.values_of(of_shared), experts)
        if own_shared is not None:
            z_shared += mix(own_shared, shared)
        z_groups = self._mix_visible(
            self.meta_group_gates.values_of(of_groups),
            own_groups,
            shared if self.hierarchy_mask else experts,
            own,
        )
        return ops.squeeze(z_shared, axis=1), ops.unstack(z_groups, axis=1)

    def _call_task_level(
        self, z_shared: Any, z_groups: list[Any], training: bool | None
    ) -> dict[str, Any]:
        """Eq. 7, 11: every task's representation."""
        shared = self.task_shared_experts(z_shared, training=training)
        experts, own_values = [], []
        for (group, of_group), z in zip(
            self.task_experts.items(), z_groups, strict=True
        ):
            own_gates = _present(self.task_self_gates.get(group))
            logits = logits_together([*own_gates, *of_group.gates], z)
            own_values.append(own_gates[0].values_of(logits[0]) if own_gates else None)
            experts.append(of_group(z, logits[len(own_gates) :], training=training))
        everything = None
        if not self.hierarchy_mask:
            everything = ops.concatenate([shared, *experts], axis=1)
        outputs: dict[str, Any] = {}
        for (group, tasks), z, own_weights, of_group in zip(
            self.task_groups.items(), z_groups, own_values, experts, strict=True
        ):
            common, own = _split_experts(of_group, self.num_group_experts)
            h = self._mix_visible(
                self.task_gates[group].gate_values(
                    ops.concatenate([z, z_shared], axis=-1)
                ),
                own_weights,
                ops.concatenate([shared, common], axis=1)
                if self.hierarchy_mask
                else everything,
                own,
            )
            outputs.update(zip(tasks, ops.unstack(h, axis=1), strict=True))
        return outputs

    def _mix_visible(
        self, weights: Any, self_weights: Any, common: Any, own: Any
    ) -> Any:
        """What gates and self gates mix (eq. 6, 7 and 11).

        Args:
            weights: Of the expert gates, `(batch, gates, n)`.
            self_weights: Of the self gates, `(batch, gates, n_own)`, or None.
            common: The experts that all these gates see, `(batch, n_common, D)`.
            own: The experts of the gates' owners, `(batch, gates * n_own, D)`.

        Returns:
            `(batch, gates, D)`.
        """
        own_weights = self_weights
        if self.hierarchy_mask:
            weights, own_weights = ops.split(weights, [common.shape[1]], axis=-1)
            # An own expert has two weights, and one product does for both.
            if self_weights is not None:
                own_weights = own_weights + self_weights
        mixed = mix(weights, common)
        return mixed if own_weights is None else mixed + mix_own(own_weights, own)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "num_shared_experts": self.num_shared_experts,
            "num_group_experts": self.num_group_experts,
            "num_task_experts": self.num_task_experts,
            "gate_units": list(self.gate_units),
            "feature_gate": self.feature_gate,
            "feature_gate_scope": self.feature_gate_scope,
            "num_loras": self.num_loras,
            "lora_rank": (
                list(self.lora_rank)
                if isinstance(self.lora_rank, tuple)
                else self.lora_rank
            ),
            "self_gate": self.self_gate,
            "hierarchy_mask": self.hierarchy_mask,
        }


def _check_rank(rank: int | Sequence[int] | None) -> int | tuple[int, ...] | None:
    if rank is None or isinstance(rank, int):
        return rank if rank is None else check_positive("lora_rank", rank)
    ranks = check_units("lora_rank", rank, at_least=2)
    if len(ranks) > 2:
        raise ValueError(
            "`lora_rank` must be one rank, or a pair for the meta and the task level. "
            f"Received: {rank!r}"
        )
    return ranks


def _split_experts(experts: Any, first: int) -> list[Any]:
    """The first of the experts `(batch, n, D)`, and the others."""
    parts: list[Any] = ops.split(experts, [first], axis=1)
    return parts


def _build_all(layers: Any, shape: Any) -> None:
    for layer in layers:
        layer.build(shape)


def _present(*gates: ExpertGate | None) -> list[ExpertGate]:
    return [gate for gate in gates if gate is not None]
