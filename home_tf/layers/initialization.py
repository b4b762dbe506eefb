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
class PerExpertInitializer(keras.initializers.Initializer):
    """Initialises a kernel `(inputs, num_experts * units)` expert by expert.

    Args:
        initializer: The initialiser of one expert's kernel `(inputs, units)`.
        num_experts: Number of experts side by side in the kernel's columns.
    """

    def __init__(self, initializer: Any, num_experts: int) -> None:
        self.initializer = keras.initializers.get(initializer)
        self.num_experts = num_experts

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Any:
        """Returns the kernel's initial values, of the given shape."""
        inputs, columns = (int(size) for size in shape)
        one = (inputs, columns // self.num_experts)
        experts = split_initializer(self.initializer, self.num_experts)
        return ops.concatenate(
            [expert(one, dtype=dtype) for expert in experts], axis=-1
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the initialiser."""
        return {
            "initializer": keras.initializers.serialize(self.initializer),
            "num_experts": self.num_experts,
        }
