"""The processes that train together, from the environment variable `TF_CONFIG`.

TensorFlow reads the same variable. It is not imported here, because `home-tf launch`
only starts processes.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from home_tf.errors import HomeError

VARIABLE = "TF_CONFIG"
# The message of the others if the chief has an error before training begins.
CHIEF_SAYS_WHY = "the chief did not start the training; its message says why"
_KINDS = ("chief", "worker", "ps", "evaluator")
_EXAMPLE = (
    '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


@dataclass(frozen=True)
class Cluster:
    """The processes of a training, and which of them this one is.

    Attributes:
        workers: Number of workers, including the chief; 1 without `TF_CONFIG`.
        parameter_servers: Number of parameter servers.
        kind: `chief`, `worker`, `ps` or `evaluator`.
        index: This process's number among those of its kind.
        has_chief: Whether one is named `chief`; else worker 0 is.
    """

    workers: int = 1
    parameter_servers: int = 0
    kind: str = "worker"
    index: int = 0
    has_chief: bool = False

    @classmethod
    def from_environment(cls) -> "Cluster":
        """The cluster that `TF_CONFIG` describes; one process if it is not set.

        Raises:
            HomeError: If the variable is not in TensorFlow's format.
        """
        text = os.environ.get(VARIABLE, "").strip()
        if not text:
            return cls()
        try:
            return cls._read(json.loads(text))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise HomeError(
                f"`{VARIABLE}` must be JSON such as {_EXAMPLE}, and its task must be "
                f"one of the cluster. Received: {text[:200]}"
            ) from None

    @classmethod
    def _read(cls, values: dict[str, Any]) -> "Cluster":
        addresses = values.get("cluster") or {}
        if not addresses:
            return cls()
        counts = {kind: len(addresses.get(kind, ())) for kind in _KINDS}
        kind, index = values["task"]["type"], int(values["task"]["index"])
        if not 0 <= index < counts[kind]:
            raise ValueError
        return cls(
            workers=counts["chief"] + counts["worker"],
            parameter_servers=counts["ps"],
            kind=kind,
            index=index,
            has_chief=counts["chief"] > 0,
        )

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the results of a training."""
        return self.kind == ("chief" if self.has_chief else "worker") and not self.index


def describe_worker(addresses: Sequence[str], index: int) -> str:
    """Makes the `TF_CONFIG` of one of several workers.

    Args:
        addresses: `host:port` of every worker.
        index: The number of the worker; 0 is the chief.
    """
    task = {"type": "worker", "index": index}
    return json.dumps({"cluster": {"worker": list(addresses)}, "task": task})
