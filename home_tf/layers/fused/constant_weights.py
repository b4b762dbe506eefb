"""Marks the weights as constants, so that what depends only on them costs nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _State(threading.local):
    def __init__(self) -> None:
        self.constant = False


_STATE = _State()


@contextmanager
def constant_weights() -> Iterator[None]:
    """Makes the layers called in the context treat their weights as constants.

    For inference in float32, in a graph that evaluates once what depends only on
    weights: kernels are then joined, split, padded and scaled to suit their products,
    and batch normalisation is folded into the kernels before it.
    """
    outer, _STATE.constant = _STATE.constant, True
    try:
        yield
    finally:
        _STATE.constant = outer


def are_weights_constant() -> bool:
    """Whether the code runs in the context of `constant_weights`."""
    return _STATE.constant
