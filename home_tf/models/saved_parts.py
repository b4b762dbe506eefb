"""Saving and loading the parts of a model, which are objects themselves."""

from collections.abc import Mapping
from typing import Any

from home_tf.backend import keras
from home_tf.errors import HomeError


def serialize_parts(owner: Any, *names: str) -> dict[str, Any]:
    """Turns the parts of a model or layer into values of its configuration."""
    return {
        name: keras.saving.serialize_keras_object(getattr(owner, name))
        for name in names
    }


def deserialize_parts(config: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Restores the parts in the configuration of a model or layer.

    Args:
        config: What `get_config` returned.
        *names: The parts.

    Returns:
        The arguments of the model or layer.

    Raises:
        HomeError: If it was saved by another version of this package, whose layers had
            other arguments.
    """
    try:
        parts = {
            name: keras.saving.deserialize_keras_object(config[name]) for name in names
        }
    except HomeError:  # from a part of a part
        raise
    except (KeyError, TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1][-200:]
        raise HomeError(
            "the saved model was written by an earlier version of home_tf, which had "
            f"other arguments ({reason}). Build and train it again"
        ) from None
    return {**config, **parts}
