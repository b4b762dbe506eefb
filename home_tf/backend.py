"""The Keras in force: legacy Keras under TF_USE_LEGACY_KERAS, else Keras 3.

Every module of the package takes `keras` and `ops` from here, so that one source
serves both. TensorFlow reads the same variable for `tf.keras`, and TFRS needs it set.
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

_VARIABLE = "TF_USE_LEGACY_KERAS"


def legacy_keras_requested() -> bool:
    """Whether the environment asks for legacy Keras, read as TensorFlow reads it."""
    return os.environ.get(_VARIABLE) in ("1", "true", "True")


IS_LEGACY = legacy_keras_requested()

if IS_LEGACY:
    import tf_keras as keras

    from home_tf import legacy_ops as ops
else:
    import keras
    from keras import ops  # type: ignore[no-redef]

IS_TENSORFLOW = IS_LEGACY or keras.backend.backend() == "tensorflow"

__all__ = [
    "IS_LEGACY",
    "IS_TENSORFLOW",
    "add_at",
    "check_one_keras",
    "checked",
    "concatenate_over_replicas",
    "keras",
    "legacy_keras_requested",
    "mean_over_global_batch",
    "num_replicas",
    "ops",
    "sum_over_replicas",
    "without_autograph",
]


def sum_over_replicas(values: Any) -> Any:
    """Sums tensors over the replicas of the running `tf.distribute` strategy.

    Outside a strategy, and with one replica, they are returned as they are.

    Args:
        values: Tensor of any shape, the same on every replica; or a list of such.

    Returns:
        What `values` is.
    """
    if not IS_TENSORFLOW:
        return values
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values
    return context.all_reduce(tf.distribute.ReduceOp.SUM, values)


def add_at(variable: Any, indices: Any, values: Any) -> None:
    """Adds values to a few elements of a variable, in place; TensorFlow only.

    In a replica of a `tf.distribute` strategy it changes the replica's own part of a
    sum over the replicas, such as a metric's state is.

    Args:
        variable: Keras variable of `n` dimensions.
        indices: Where to add, `(elements, n)`; an element may come more than once.
        values: What to add, `(elements,)`.
    """
    import tensorflow as tf

    variable = variable if IS_LEGACY else variable.value
    # Distributed variables have no `scatter_nd_add`, but a handle in each replica.
    tf.raw_ops.ResourceScatterNdAdd(
        ref=variable.handle, indices=indices, updates=values
    )


def checked(values: Any, valid: Any, message: str) -> Any:
    """Returns values as they are, or raises while the graph runs; TensorFlow only.

    Args:
        values: Tensor of numbers, whose lowest and highest an error names.
        valid: Tensor of booleans, all of them to be true.
        message: What is wrong, for the error.

    Raises:
        tf.errors.InvalidArgumentError: If an element of `valid` is false. Code that is
            compiled by XLA does not raise.
    """
    import tensorflow as tf

    extremes = [tf.reduce_min(values), tf.reduce_max(values)]
    received = [message, "Received: lowest and highest", *extremes]
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(valid), received)]):
        return tf.identity(values)


def concatenate_over_replicas(values: Any) -> Any:
    """Concatenates a tensor's rows of all replicas, of which each may have its number.

    Outside a strategy, and with one replica, the tensor is returned as it is.

    Args:
        values: Tensor `(rows, ...)`; only the number of rows may differ.

    Returns:
        Tensor `(rows of all replicas, ...)`.
    """
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values
    return context.all_gather(values, axis=0)


def without_autograph(function: Any) -> Any:
    """The function, whose Python legacy Keras then does not rewrite as graph code.

    Keras 3 never does. The layers of this package have nothing to rewrite, and looking
    for it takes as long as building their graph.
    """
    if not IS_LEGACY:
        return function
    import tensorflow as tf

    return tf.autograph.experimental.do_not_convert(function)


def num_replicas() -> int:
    """Number of replicas of the running `tf.distribute` strategy; 1 outside of one."""
    if not IS_TENSORFLOW:
        return 1
    import tensorflow as tf

    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def mean_over_global_batch(values: Any) -> Any:
    """The mean of a `(batch,)` tensor over the global batch, as a layer's added loss.

    Added losses are averaged over the replicas, which may hold unequal numbers of rows;
    the average of what this returns on each replica is the mean over all rows.
    """
    count = sum_over_replicas(ops.sum(ops.zeros_like(values) + 1.0))
    return ops.sum(values) * num_replicas() / ops.maximum(count, 1.0)


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
            f"{_this_keras()}. Set it before the first import of tensorflow, keras "
            "or home_tf."
        )
    if any(_is_foreign_symbol(x) for x in _leaves(inputs)) or _in_foreign_call():
        raise ValueError(
            f"`{name}` is a layer of {_this_keras()}, but it is used inside a model of "
            f"{_other_keras()}. {_remedy()}"
        )


def _this_keras() -> str:
    return "legacy Keras (tf_keras)" if IS_LEGACY else "Keras 3"


def _other_keras() -> str:
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


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _is_foreign_symbol(value: Any) -> bool:
    other = "keras" if IS_LEGACY else "tf_keras"
    kind = type(value)
    return kind.__name__ == "KerasTensor" and kind.__module__.split(".")[0] == other


def _in_foreign_call() -> bool:
    # Neither Keras has a public name for "a call is under way", and without it a
    # foreign layer trains nothing without a word: its variables are not tracked.
    if IS_LEGACY:
        state = sys.modules.get("keras.src.backend.common.global_state")
        if state is None:
            return False
        return state.get_global_attribute("current_call_ctx") is not None
    utils = sys.modules.get("tf_keras.src.engine.base_layer_utils")
    return utils is not None and bool(utils.call_context().in_call)
