"""Initialisers that give every expert its own weights.

Keras initialisers are stateless: one instance called twice returns the same values.
And an initialiser that sees the stacked kernel of several experts computes its fan
from the stack, so that Glorot and He scales come out too small. Hence: one
initialiser an expert, each with a seed of its own, each called on one expert's shape.
"""

import random
from typing import Any

from home_tf.backend import keras, ops


def split_initializer(initializer: Any, count: int) -> list[Any]:
    """Derives initialisers of the same kind that draw different values.

    Args:
        initializer: A Keras initialiser, or its name. Its seed, if it has one, decides
            all derived seeds; without a seed every run draws anew.
        count: How many to derive.

    Returns:
        `count` new initialisers.
    """
    initializer = keras.initializers.get(initializer)
    config = initializer.get_config()
    seeds = (
        random.Random(config.get("seed")) if config.get("seed") is not None else None
    )
    derived = []
    for _ in range(count):
        changed = dict(config)
        if seeds is not None:
            changed["seed"] = seeds.randrange(2**31)
        derived.append(type(initializer).from_config(changed))
    return derived


@keras.saving.register_keras_serializable(package="home_tf")
class SideBySide(keras.initializers.Initializer):
    """Initialises several kernels side by side, each of them for itself.

    Args:
        initializer: The initialiser of one kernel `(inputs, units)`.
        number: Number of kernels side by side, in the columns of the whole.
    """

    def __init__(self, initializer: Any, number: int) -> None:
        self.initializer = keras.initializers.get(initializer)
        self.number = number

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Any:
        """Returns the initial values, `(inputs, number * units)`."""
        inputs, columns = (int(size) for size in shape)
        one = (inputs, columns // self.number)
        initializers = split_initializer(self.initializer, self.number)
        return ops.concatenate(
            [initialize(one, dtype=dtype) for initialize in initializers], axis=-1
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the initialiser."""
        return {
            "initializer": keras.initializers.serialize(self.initializer),
            "number": self.number,
        }
