"""Initialisers that give every expert and every gate its own weights.

Keras initialisers are stateless: one instance called twice returns the same values.
An initialiser that sees the stacked kernel of several experts also computes its fan
from the stack, so the Glorot and He scales come out too small. Hence one initialiser
per expert, each with its own seed, and each called on one expert's shape.

A part's seed is derived from the seed of the whole and the part's name, so the order
in which parts are created does not matter.
"""

import hashlib
from typing import Any

from home_tf.backend import keras, ops
from home_tf.backend.seeds import draw_seed
from home_tf.types import Initializer, Shape, Tensor


def derive_initializer(initializer: Initializer, *names: str | int) -> Initializer:
    """Derives an initialiser of the same kind for a part, which draws its own values.

    Args:
        initializer: A Keras initialiser, or its name. Its seed, if it has one,
            determines the part's; otherwise a seed is drawn.
        *names: The names of the part, from the outermost.

    Returns:
        A new initialiser, with a seed if its kind takes one.
    """
    seeded = with_seed(initializer)
    config = seeded.get_config()
    if config.get("seed") is None:  # of a kind without randomness, such as zeros
        return seeded
    name = "/".join(map(str, (config["seed"], *names)))
    digest = hashlib.sha256(name.encode()).digest()
    seed = int.from_bytes(digest[:4], "little") % 2**31
    return type(seeded).from_config({**config, "seed": seed})


def with_seed(initializer: Initializer) -> Initializer:
    """The initialiser, with a seed if it takes one and has none."""
    initializer = keras.initializers.get(initializer)
    config = initializer.get_config()
    if "seed" not in config or config["seed"] is not None:
        return initializer
    return type(initializer).from_config({**config, "seed": draw_seed()})


@keras.saving.register_keras_serializable(package="home_tf")
class SideBySide(keras.initializers.Initializer):
    """Initialises several kernels side by side, each on its own.

    Args:
        initializer: The initialiser of one kernel `(inputs, units)`.
        number: Number of kernels side by side, in the columns of the whole.
    """

    def __init__(self, initializer: Initializer, number: int) -> None:
        self.initializer = with_seed(initializer)
        self.number = number

    def __call__(self, shape: Shape, dtype: Any = None, **kwargs: Any) -> Tensor:
        """Returns the initial values, `(inputs, number * units)`."""
        inputs, columns = (int(size) for size in shape)
        one = (inputs, columns // self.number)
        return ops.concatenate(
            [
                derive_initializer(self.initializer, place)(one, dtype=dtype)
                for place in range(self.number)
            ],
            axis=-1,
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the initialiser."""
        return {
            "initializer": keras.initializers.serialize(self.initializer),
            "number": self.number,
        }
