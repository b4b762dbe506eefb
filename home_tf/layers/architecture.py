"""The contract that all architectures share."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import keras
from home_tf.layers.anatomy import Anatomy
from home_tf.layers.expert import Expert, ExpertName
from home_tf.layers.expert_bank import ExpertBank
from home_tf.layers.expert_gate import ExpertGate
from home_tf.layers.initialization import derive_initializer, with_seed
from home_tf.layers.layer import ONE_INPUT, Layer, check_units
from home_tf.types import Initializer, Shape

SHARED = "shared"
TaskGroups = Mapping[str, Sequence[str]]


class Architecture(Layer):
    """Base class of the layers from `(batch, features)` to `{task: (batch, D)}`.

    Private to the package.

    Args:
        task_groups: `{group: [task, ...]}`.
        expert: The kind of expert.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    input_rule = ONE_INPUT

    def __init__(
        self,
        task_groups: TaskGroups,
        *,
        expert: Expert | ExpertName | Mapping[str, Any],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.task_groups = check_task_groups(task_groups)
        self.expert = Expert.of(expert)
        self._seeded_expert = self.expert.with_seed()

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks, group by group."""
        return [task for tasks in self.task_groups.values() for task in tasks]

    def _make_experts(
        self, num_experts: int | Sequence[int], *level: str
    ) -> ExpertBank:
        """Makes the experts, or those of one level."""
        return ExpertBank(
            num_experts,
            self._seeded_expert.derive(*level),
            dtype=self.dtype_policy,
            name="experts",
        )

    def anatomy(self) -> Anatomy:
        """The layer's experts and gates, under readable names."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Shape) -> dict[str, tuple[Any, ...]]:
        """`{task: (batch, D)}`."""
        return dict.fromkeys(self.tasks, (input_shape[0], self.expert.width))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            # As pairs, because some savers sort the keys of a dict, and the order of
            # the tasks is the order of the weights.
            "task_groups": [
                [name, list(tasks)] for name, tasks in self.task_groups.items()
            ],
            "expert": self.expert.get_config(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Architecture":
        """Rebuilds the layer from `get_config()`."""
        if "expert_units" in config:
            raise ValueError(
                f"This `{cls.__name__}` was saved by an earlier version of home_tf, "
                "which arranged the weights differently. Build and train the model "
                "again"
            )
        return cls(**{**config, "task_groups": dict(config["task_groups"])})


class GatedArchitecture(Architecture):
    """Base class of the architectures that have gates over experts.

    Private to the package.

    Args:
        task_groups: `{group: [task, ...]}`.
        gate_units: Widths of the hidden layers of the gates.
        gate_initializer: Initialiser of the gates' kernels.
        **kwargs: Arguments of `Architecture`.
    """

    def __init__(
        self,
        task_groups: TaskGroups,
        *,
        gate_units: Sequence[int],
        gate_initializer: Initializer,
        **kwargs: Any,
    ) -> None:
        super().__init__(task_groups, **kwargs)
        self.gate_units = check_units("gate_units", gate_units)
        self.gate_initializer = keras.initializers.get(gate_initializer)
        self._seeded_gates = with_seed(self.gate_initializer)

    def _make_gates(
        self, num_experts: int, num_gates: int, *level: str, name: str = "gates"
    ) -> ExpertGate:
        """Makes gates that see the given number of experts, or those of one level."""
        return ExpertGate(
            num_experts,
            num_gates=num_gates,
            hidden_units=self.gate_units,
            kernel_initializer=derive_initializer(self._seeded_gates, *level, name),
            dtype=self.dtype_policy,
            name=name,
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "gate_units": list(self.gate_units),
            "gate_initializer": keras.initializers.serialize(self.gate_initializer),
        }


def check_task_groups(task_groups: TaskGroups) -> dict[str, list[str]]:
    """Returns the groups as a dict of lists, checked to be a partition of the tasks.

    Raises:
        ValueError: If there is no group, a group is empty, not a list of names, or
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
                    "`task_groups` must contain each task only once. Received: task "
                    f"{task!r} in group {seen[task]!r} and in group {group!r}"
                )
            seen[task] = group
    return {group: list(tasks) for group, tasks in task_groups.items()}
