"""Names of weights: readable paths that are the same in both Kerases.

Keras 3 gives a weight the names of the layers around it, outermost first. Legacy Keras
does so only where it calls `build` itself; this module extends it to all cases.
"""

import functools
import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from home_tf.backend import IS_LEGACY, keras
from home_tf.types import KerasLayer


class _Open(threading.local):
    """The layers whose weights are being created, outermost first, with their paths."""

    def __init__(self) -> None:
        self.scopes: list[tuple[KerasLayer, str]] = []


_OPEN = _Open()


def unique_name(stem: str) -> str:
    """Makes a name for a layer, numbered like Keras: `stem`, `stem_1`, ..."""
    number = keras.backend.get_uid(stem)
    return stem if number == 1 else f"{stem}_{number - 1}"


def scope_name(text: str) -> str:
    """Turns a text, such as a group's name, into a part of a path.

    Characters other than letters, digits, `_`, `.` and `-` are replaced, and a hash
    distinguishes texts that would become the same.
    """
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", text):
        return text
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", text)
    name = name if name[:1].isalnum() else f"x{name}"  # for TensorFlow
    return f"{name}_{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def name_scope(name: str) -> AbstractContextManager[Any]:
    """Adds a part to the paths of the weights that are created in the context."""
    return _legacy_scope(None, name) if IS_LEGACY else keras.name_scope(name)


def scoped_build(build: Callable[..., None]) -> Callable[..., None]:
    """Wraps a layer's `build` so that its weights have the layer's path."""
    if not IS_LEGACY:
        return build

    @functools.wraps(build)
    def scoped(self: KerasLayer, *args: Any, **kwargs: Any) -> None:
        with _legacy_scope(self, self.name):
            build(self, *args, **kwargs)

    return scoped


@contextmanager
def _legacy_scope(layer: KerasLayer | None, name: str) -> Iterator[None]:
    import tensorflow as tf

    scopes = _OPEN.scopes
    if layer is not None and scopes and scopes[-1][0] is layer:
        yield  # the `build` of a base class
        return
    outer = scopes[-1][1] if scopes else _scope_around(name)
    path = f"{outer}/{name}" if outer else name
    scopes.append((layer, path))
    try:
        # With a trailing slash, TensorFlow takes the name as it is.
        with tf.name_scope(f"{path}/"):
            yield
    finally:
        scopes.pop()


def _scope_around(name: str) -> str:
    """TensorFlow's scope without the one that legacy Keras opened for the layer."""
    import tensorflow as tf

    *outer, last = tf.get_current_name_scope().split("/")
    if not re.fullmatch(rf"{re.escape(name)}(_\d+)?", last):
        outer.append(last)
    return "/".join(outer)
