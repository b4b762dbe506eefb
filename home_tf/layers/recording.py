"""Records values inside the layers: expert outputs and gate values."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from home_tf.types import KerasLayer, Tensor

Kind = Literal["outputs", "weights", "values"]


class Record(NamedTuple):
    """A value inside a layer.

    Attributes:
        layer: The layer.
        kind: `"outputs"` of experts, `(batch, n, D)`; `"weights"` of an expert gate,
            `(batch, n)` or `(batch, gates, n)`; `"values"` of a feature gate,
            `(batch, features)` or a list of such.
        value: The tensor or tensors.
    """

    layer: KerasLayer
    kind: Kind
    value: Tensor


class _Open(threading.local):
    def __init__(self) -> None:
        self.records: list[Record] | None = None


_OPEN = _Open()


@contextmanager
def recording() -> Iterator[list[Record]]:
    """Records the inner values of the layers that are called in the context.

    Call a model eagerly, or trace a function and return what it recorded: a function
    that was traced before records nothing. Outside the context nothing is kept, and
    nothing is added to a model's graph.

    Yields:
        The list of records, which grows.
    """
    outer, _OPEN.records = _OPEN.records, []
    try:
        yield _OPEN.records
    finally:
        _OPEN.records = outer


def record(layer: KerasLayer, kind: Kind, make: Callable[[], Tensor]) -> None:
    """Records a value inside `recording`; otherwise `make` is not called."""
    if _OPEN.records is not None:
        _OPEN.records.append(Record(layer, kind, make()))
