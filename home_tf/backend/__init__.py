"""The active Keras: legacy Keras under TF_USE_LEGACY_KERAS, else Keras 3.

Every module of the package imports `keras` and `ops` from here, so that the same code
serves both, and Keras 3's other backends. TensorFlow reads the same variable for
`tf.keras`, and TFRS needs it set.
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

from home_tf.extras import extra

_VARIABLE = "TF_USE_LEGACY_KERAS"


def legacy_keras_requested() -> bool:
    """Whether the environment requests legacy Keras, by TensorFlow's own rules."""
    return os.environ.get(_VARIABLE) in ("1", "true", "True")


IS_LEGACY = legacy_keras_requested()

if IS_LEGACY:
    with extra("tfrs"):
        import tf_keras as keras
else:
    import keras

IS_TENSORFLOW = IS_LEGACY or keras.backend.backend() == "tensorflow"

if IS_TENSORFLOW:
    # Legacy Keras has no `ops`; those of Keras 3 take longer to trace, and add
    # operations to the graph to compute sizes that are known.
    from home_tf.backend import tensorflow_ops as ops
else:
    from keras import ops  # type: ignore[no-redef]

__all__ = [
    "IS_LEGACY",
    "IS_TENSORFLOW",
    "check_one_keras",
    "keras",
    "leaves",
    "legacy_keras_requested",
    "ops",
    "other_keras",
    "this_keras",
    "without_autograph",
]


def without_autograph(function: Any) -> Any:
    """Keeps legacy Keras from rewriting a function's Python as graph code.

    Keras 3 never does. The layers of this package have nothing to rewrite, and
    searching takes as long as building their graph.
    """
    if not IS_LEGACY:
        return function
    import tensorflow as tf

    return tf.autograph.experimental.do_not_convert(function)


def check_one_keras(name: str, *inputs: Any) -> None:
    """Raises if a layer of this package is being used inside the other Keras.

    Args:
        name: What is being used, for the message.
        *inputs: The call's arguments, nested in lists and dicts as they come.

    Raises:
        ValueError: If the environment has changed since the package was imported, if
            an input is a symbolic tensor of the other Keras, or if the call comes
            from inside a layer or model of the other Keras.
    """
    if legacy_keras_requested() != IS_LEGACY:
        raise ValueError(
            f"`{_VARIABLE}` was changed after `home_tf` was imported. Received: "
            f"{_VARIABLE}={os.environ.get(_VARIABLE)!r} with `home_tf` on "
            f"{this_keras()}. Set it before the first import of tensorflow, keras "
            "or home_tf."
        )
    if any(_is_foreign_symbol(x) for x in leaves(inputs)) or _in_foreign_call():
        raise ValueError(
            f"`{name}` is a layer of {this_keras()}, but it is used inside a model of "
            f"{other_keras()}. {_remedy()}"
        )


def this_keras() -> str:
    """The name of the active Keras."""
    return "legacy Keras (tf_keras)" if IS_LEGACY else "Keras 3"


def other_keras() -> str:
    """The name of the other Keras."""
    return "Keras 3" if IS_LEGACY else "legacy Keras (tf_keras)"


def _remedy() -> str:
    if IS_LEGACY:
        return (
            f"Build the model with `tf_keras` (TFRS does), or unset {_VARIABLE} before "
            "the first import to use Keras 3 throughout."
        )
    return (
        f"Set {_VARIABLE}=1 before the first import of tensorflow to use legacy Keras "
        "throughout (TFRS needs it), or build the model with `keras`."
    )


def leaves(value: Any) -> Iterator[Any]:
    """Yields the leaves of nested lists and dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def _is_foreign_symbol(value: Any) -> bool:
    other = "keras" if IS_LEGACY else "tf_keras"
    kind = type(value)
    return kind.__name__ == "KerasTensor" and kind.__module__.split(".")[0] == other


def _in_foreign_call() -> bool:
    # Neither Keras has a public API for "a call is under way". Without this check, a
    # foreign layer would silently train nothing: its variables are not tracked.
    if IS_LEGACY:
        state = sys.modules.get("keras.src.backend.common.global_state")
        if state is None:
            return False
        return state.get_global_attribute("current_call_ctx") is not None
    utils = sys.modules.get("tf_keras.src.engine.base_layer_utils")
    return utils is not None and bool(utils.call_context().in_call)
