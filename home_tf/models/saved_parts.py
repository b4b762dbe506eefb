"""The parts of a saved model, which are objects of their own."""

from collections.abc import Mapping
from typing import Any

from home_tf.backend import keras
from home_tf.errors import HomeError


def serialize_parts(owner: Any, *names: str) -> dict[str, Any]:
    """The parts of a model or layer as values of its configuration."""
    return {
        name: keras.saving.serialize_keras_object(getattr(owner, name))
        for name in names
    }


def deserialize_parts(config: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The configuration of a model or layer, with its parts made anew.

    Args:
        config: What `get_config` returned.
        *names: The parts.

    Returns:
        The arguments of the model or layer.

    Raises:
        HomeError: If another version of this package saved it, whose layers had other
            arguments.
    """
    try:
        parts = {
            name: keras.saving.deserialize_keras_object(config[name]) for name in names
        }
    except HomeError:  # of a part in a part
        raise
    except (KeyError, TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1][-200:]
        raise HomeError(
            "the saved model was written by an earlier version of home_tf, whose "
            f"arguments were others ({reason}). Build and train it again"
        ) from None
    return {**config, **parts}
