"""HoME as one layer: two levels of experts and the gates between them."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from home_tf.backend import keras, ops
from home_tf.backend.names import name_scope, scope_name
from home_tf.layers import fused
from home_tf.layers.anatomy import (
    Anatomy,
    BankParts,
    GateParts,
    NamedExpert,
    name_experts,
)
from home_tf.layers.architecture import SHARED, GatedArchitecture, TaskGroups
from home_tf.layers.expert import Expert, ExpertName
from home_tf.layers.expert_group import ExpertGroup
from home_tf.layers.feature_gate import Rank, check_rank
from home_tf.layers.fused import mix, share_input
from home_tf.layers.initialization import derive_initializer
from home_tf.layers.layer import check_choice, check_positive, check_units
from home_tf.types import Initializer, Tensor

Levels = Literal["both", "meta", "none"]
LEVELS = ("both", "meta", "none")


@keras.saving.register_keras_serializable(package="home_tf")
class HoME(GatedArchitecture):
    """Hierarchy of Multi-Gate Experts: from ranking features to task representations.

    The meta level (eq. 6) has shared experts and experts for each task group. A group's
    gate sees the shared experts and its own, and the shared gate sees all; this fixed
    visibility is the hierarchy mask. With `v` as the input,

        z_g  = Gate_g(v; E_shared, E_g) + SelfGate_g(v; E_g)           for every group g
        z_s  = Gate_s(v; E_shared, E_1, E_2, ...) + SelfGate_s(v; E_shared)

    The task level (eq. 7) has shared experts, experts for each group and for each task:

        h_t  = Gate_t([z_g, z_s]; E2_shared(z_s), E2_g(z_g), E2_t(z_g))
               + SelfGate_t(z_g; E2_t(z_g))                   for every task t of g

    Every group of experts reads its input through its own feature gate (eq. 8-10).

    Args:
        task_groups: `{group: [task, ...]}`: any number of groups, each task in one of
            them.
        expert: The kind of expert at both levels: an `Expert`, or `"home"` (batch
            normalisation and Swish), `"swish"` or `"relu"`.
        num_shared_experts: Number of shared experts of each level.
        num_group_experts: Number of experts of each group, at each level.
        num_task_experts: Number of experts of each task (task level).
        gate_units: Widths of the hidden layers of the expert gates and self gates.
        gate_initializer: Initialiser of the kernels of all gates; every gate draws its
            own values, even with a seed.
        feature_gate: Levels with feature gates: `"both"`, `"meta"` (w/o fg2) or
            `"none"` (w/o fg).
        feature_gate_scope: `"group"` for one feature gate per group of experts, or
            `"expert"` for one per expert.
        num_loras: Number of low-rank maps in a feature gate.
        lora_rank: Rank of these maps, or a pair of ranks for the meta and the task
            level, whose inputs are narrower. By default, and with `"paper"`,
            `FeatureGate` derives it from the input width.
        self_gate: Levels with self gates: `"both"`, `"meta"` or `"none"` (w/o sg).
        hierarchy_mask: If False (w/o mask), every gate sees all experts of its level.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, features)`.

    Output shape:
        Dict `{task: (batch, D)}`, in the order of `task_groups`.

    Raises:
        ValueError: If an argument is out of its range, a task is named twice, a group
            is empty or named "shared", or `lora_rank` is `"paper"` and `num_loras` does
            not divide the input width or `D`.

    Examples:
        >>> home = HoME({"watch": ["long_view"], "inter": ["click", "like"]})
        >>> representations = home(features)
        >>> logits = TaskTowers(home.tasks)(representations)

    References:
        HoME (arXiv 2408.05430), eq. 4-11.
    """

    auto_name = "home"

    def __init__(
        self,
        task_groups: TaskGroups,
        *,
        expert: Expert | ExpertName = "home",
        num_shared_experts: int = 2,
        num_group_experts: int = 2,
        num_task_experts: int = 1,
        gate_units: Sequence[int] = (),
        gate_initializer: Initializer = "glorot_uniform",
        feature_gate: Levels = "both",
        feature_gate_scope: Literal["group", "expert"] = "group",
        num_loras: int = 2,
        lora_rank: Rank | tuple[int, int] = None,
        self_gate: Levels = "both",
        hierarchy_mask: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            task_groups,
            expert=expert,
            gate_units=gate_units,
            gate_initializer=gate_initializer,
            **kwargs,
        )
        self.num_shared_experts = check_positive(
            "num_shared_experts", num_shared_experts
        )
        self.num_group_experts = check_positive("num_group_experts", num_group_experts)
        self.num_task_experts = check_positive("num_task_experts", num_task_experts)
        self.feature_gate = check_choice("feature_gate", feature_gate, LEVELS)
        self.feature_gate_scope = check_choice(
            "feature_gate_scope", feature_gate_scope, ("group", "expert")
        )
        self.num_loras = check_positive("num_loras", num_loras)
        self.lora_rank = _check_lora_rank(lora_rank)
        self.self_gate = check_choice("self_gate", self_gate, LEVELS)
        self.hierarchy_mask = bool(hierarchy_mask)
        self.meta_level = self._make_meta_level()
        self.task_level = self._make_task_level()

    @property
    def groups(self) -> list[str]:
        """Names of the task groups."""
        return list(self.task_groups)

    def _make_meta_level(self) -> dict[str, ExpertGroup]:
        """Makes the experts of every owner, with its gate and self gate."""
        shared, own = self.num_shared_experts, self.num_group_experts
        everything = shared + own * len(self.groups)
        level = {SHARED: self._make_group("meta", SHARED, [shared], 1, everything)}
        visible = shared + own if self.hierarchy_mask else everything
        for group in self.groups:
            level[group] = self._make_group("meta", group, [own], 1, visible)
        return level

    def _make_task_level(self) -> dict[str, ExpertGroup]:
        """Makes the experts of all groups and tasks and the shared ones, with gates."""
        shared, own = self.num_shared_experts, self.num_task_experts
        of_group = self.num_group_experts
        level = {SHARED: self._make_group("task", SHARED, [shared])}
        everything = shared + of_group * len(self.groups) + own * len(self.tasks)
        visible = shared + of_group + own if self.hierarchy_mask else everything
        for group, tasks in self.task_groups.items():
            counts = [of_group] + [own] * len(tasks)
            level[group] = self._make_group("task", group, counts, len(tasks), visible)
        return level

    def _make_group(
        self,
        level: str,
        owner: str,
        num_experts: list[int],
        num_gates: int = 0,
        num_visible: int = 0,
    ) -> ExpertGroup:
        own = num_experts[-1] if self.self_gate in ("both", level) else 0
        if self.feature_gate_scope == "expert":
            num_experts = [1] * sum(num_experts)
        return ExpertGroup(
            num_experts,
            num_gates=num_gates,
            num_visible=num_visible,
            num_own=own,
            expert=self._seeded_expert.derive(level, owner),
            gate_units=self.gate_units,
            gate_initializer=derive_initializer(self._seeded_gates, level, owner),
            feature_gate=self.feature_gate in ("both", level),
            num_loras=self.num_loras,
            rank=self.rank_of(level),
            dtype=self.dtype_policy,
            name=scope_name(owner),
        )

    def rank_of(self, level: str) -> Rank:
        """The configured rank of the low-rank maps at a level, `"meta"` or `"task"`."""
        if isinstance(self.lora_rank, tuple):
            return self.lora_rank[level == "task"]
        return self.lora_rank

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the weights of both levels."""
        v = (None, self._fix_width(input_shape))
        z, pair = (None, self.expert.width), (None, 2 * self.expert.width)
        with name_scope("meta"):
            for part in self.meta_level.values():
                part.build(v)
        with name_scope("task"):
            for part in self.task_level.values():
                part.build(z, pair)
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Computes every task's representation.

        Args:
            inputs: `v`, the ranking features, `(batch, features)`.
            training: Whether batch normalisation uses the batch statistics.

        Returns:
            `{task: (batch, D)}`.
        """
        # The gates' hidden layers are not merged.
        if fused.are_weights_constant() and not self.gate_units:
            return self._call_with_constant_weights(inputs)
        z = self._call_meta_level(inputs, training)
        return self._call_task_level(z, training)

    def _call_with_constant_weights(self, v: Tensor) -> dict[str, Tensor]:
        """Computes the same in inference, with a few operations per level."""
        owners = list(self.meta_level)
        experts = [e for of_owner in self._meta_experts().values() for e in of_owner]
        meta = [part.gated_experts(reads=0) for part in self.meta_level.values()]
        gates = [(parts, [0]) for _, parts in self._meta_gates()]
        z = fused.level([v], self._merged(meta, gates, experts))
        experts = [e for of_owner in self._task_experts().values() for e in of_owner]
        task = [
            part.gated_experts(reads=owners.index(owner))
            for owner, part in self.task_level.items()
        ]
        gates = []
        for owner, parts in self._task_gates():
            # A gate decides by [z_g, z_s], a self gate by z_g.
            reads = [owner] if parts.is_self_gate else [owner, SHARED]
            gates.append((parts, list(map(owners.index, reads))))
        h = fused.level(z, self._merged(task, gates, experts))
        return dict(zip(self.tasks, h, strict=True))

    def _merged(
        self,
        groups: Sequence[fused.GatedExperts],
        gates: Sequence[tuple[GateParts, Sequence[int]]],
        experts: Sequence[NamedExpert],
    ) -> fused.Level:
        """A level for `fused.level`: its experts, and its gates with what they read."""
        kinds: dict[bool, list[fused.Gates]] = {False: [], True: []}
        for parts, reads in gates:
            sees = [list(map(experts.index, seen)) for seen in parts.sees]
            merged = fused.Gates(reads, parts.layer.mlps.first, sees)
            kinds[parts.is_self_gate].append(merged)
        activate = self.task_level[SHARED].experts.activate
        return fused.Level(groups, activate, kinds[False], kinds[True])

    def _call_meta_level(self, v: Tensor, training: bool | None) -> dict[str, Tensor]:
        """`z` of every owner: `(batch, D)`."""
        parts = self.meta_level
        v = share_input(v, [m for p in parts.values() for m in p.maps()])
        # E_o, eq. 4, 5 and 8-10.
        e = {owner: part.outputs(v, training) for owner, part in parts.items()}
        z = {}
        for owner, part in parts.items():
            seen = [e[other] for other in self._visible(owner)]
            # z_o = Gate_o(v; seen) + SelfGate_o(v; E_o), eq. 6 and 11.
            mixed = mix([*part.gate(v, seen), *part.self_gate(v, [e[owner]])])
            z[owner] = ops.squeeze(mixed, axis=1)
        return z

    def _call_task_level(
        self, z: dict[str, Tensor], training: bool | None
    ) -> dict[str, Tensor]:
        """`h` of every task: `(batch, D)`."""
        parts = self.task_level
        read = {owner: share_input(z[owner], p.maps()) for owner, p in parts.items()}
        # E2_o, eq. 4, 5 and 8-10: of the shared experts; of a group, then its tasks.
        e = {o: part.outputs(read[o], training) for o, part in parts.items()}
        outputs: dict[str, Tensor] = {}
        for group, tasks in self.task_groups.items():
            part = parts[group]
            of_group, own = ops.split(e[group], [self.num_group_experts], axis=1)
            pair = ops.concatenate([z[group], z[SHARED]], axis=-1)
            # h_t = Gate_t([z_g, z_s]; E2_s, E2_g, E2_t) + SelfGate_t(z_g; E2_t), eq. 7
            # and 11, for all tasks of the group.
            if self.hierarchy_mask:
                gate = part.gate(pair, [e[SHARED], of_group], own)
            else:
                gate = part.gate(pair, list(e.values()))
            h = mix([*gate, *part.self_gate(read[group], [], own)])
            outputs.update(zip(tasks, ops.unstack(h, axis=1), strict=True))
        return outputs

    def _visible(self, owner: str) -> list[str]:
        """The owners of the experts that a gate of the meta level sees."""
        if owner == SHARED or not self.hierarchy_mask:
            return [SHARED, *self.groups]
        return [SHARED, owner]

    def anatomy(self) -> Anatomy:
        """The experts and gates of both levels, such as `task/inter/is_like/0`."""
        meta, task = self._meta_experts(), self._task_experts()
        banks, feature_gates = [], []
        for owner, part in self.meta_level.items():
            banks.append(BankParts(part.experts, meta[owner]))
            feature_gates += part.feature_gate_parts(meta[owner], reads_features=True)
        for owner, part in self.task_level.items():
            banks.append(BankParts(part.experts, task[owner]))
            feature_gates += part.feature_gate_parts(task[owner], reads_features=False)
        gates = [parts for _, parts in [*self._meta_gates(), *self._task_gates()]]
        return Anatomy(banks, gates, feature_gates)

    def _meta_gates(self) -> Iterator[tuple[str, GateParts]]:
        """The gates and self gates of every owner."""
        experts = self._meta_experts()
        for owner, part in self.meta_level.items():
            seen = [one for other in self._visible(owner) for one in experts[other]]
            names = [f"meta/{owner}"]
            for parts in part.gate_parts(names, [seen], [experts[owner]], [None]):
                yield owner, parts

    def _task_gates(self) -> Iterator[tuple[str, GateParts]]:
        """The gates and self gates of every group."""
        task = self._task_experts()
        everything = [name for experts in task.values() for name in experts]
        for owner, tasks in self.task_groups.items():
            of_group = task[owner][: self.num_group_experts]
            own = [
                [name for name in task[owner] if name.path == f"task/{owner}/{one}"]
                for one in tasks
            ]
            sees = [
                [*task[SHARED], *of_group, *mine] if self.hierarchy_mask else everything
                for mine in own
            ]
            names = [f"task/{owner}/{one}" for one in tasks]
            for parts in self.task_level[owner].gate_parts(names, sees, own, tasks):
                yield owner, parts

    def _meta_experts(self) -> dict[str, list[NamedExpert]]:
        shared = name_experts("meta/shared", self.num_shared_experts, "shared")
        own = {
            group: name_experts(f"meta/{group}", self.num_group_experts, "group")
            for group in self.groups
        }
        return {SHARED: shared, **own}

    def _task_experts(self) -> dict[str, list[NamedExpert]]:
        found = {SHARED: name_experts("task/shared", self.num_shared_experts, "shared")}
        for group, tasks in self.task_groups.items():
            found[group] = name_experts(
                f"task/{group}", self.num_group_experts, "group"
            )
            for one in tasks:
                path = f"task/{group}/{one}"
                found[group] += name_experts(path, self.num_task_experts, "task")
        return found

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        rank = self.lora_rank
        return {
            **super().get_config(),
            "num_shared_experts": self.num_shared_experts,
            "num_group_experts": self.num_group_experts,
            "num_task_experts": self.num_task_experts,
            "feature_gate": self.feature_gate,
            "feature_gate_scope": self.feature_gate_scope,
            "num_loras": self.num_loras,
            "lora_rank": list(rank) if isinstance(rank, tuple) else rank,
            "self_gate": self.self_gate,
            "hierarchy_mask": self.hierarchy_mask,
        }


def _check_lora_rank(rank: Rank | Sequence[int]) -> Rank | tuple[int, ...]:
    if rank is None or isinstance(rank, (int, str)):
        return check_rank("lora_rank", rank)
    ranks = check_units("lora_rank", rank, at_least=2)
    if len(ranks) > 2:
        raise ValueError(
            "`lora_rank` must be one rank, or a pair for the meta and the task level. "
            f"Received: {rank!r}"
        )
    return ranks
