"""Whether the weights are constants: then what is computed from them alone is free."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _State(threading.local):
    def __init__(self) -> None:
        self.constant = False


_STATE = _State()


@contextmanager
def constant_weights() -> Iterator[None]:
    """Layers that are called in the context take their weights for constants.

    For inference in float32, by a graph in which what depends on weights alone is
    evaluated once: kernels are then joined, split, padded and scaled as it suits the
    products with them, and batch normalisation is a part of the kernels before it.
    """
    outer, _STATE.constant = _STATE.constant, True
    try:
        yield
    finally:
        _STATE.constant = outer


def are_weights_constant() -> bool:
    """Whether a layer is called in the context of `constant_weights`."""
    return _STATE.constant
