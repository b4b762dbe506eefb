"""What goes on inside the layers, for whoever asks: expert outputs and gate values."""

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
    """Keeps what the layers that are called in the context say of their insides.

    Call a model eagerly, or trace a function and return what it recorded: a function
    that was traced before says nothing. Outside of the context nothing is kept, and
    nothing is in the graph of a model.

    Yields:
        The list, which grows.
    """
    outer, _OPEN.records = _OPEN.records, []
    try:
        yield _OPEN.records
    finally:
        _OPEN.records = outer


def record(layer: KerasLayer, kind: Kind, make: Callable[[], Tensor]) -> None:
    """Keeps a value if somebody is recording; else `make` is not called."""
    if _OPEN.records is not None:
        _OPEN.records.append(Record(layer, kind, make()))
