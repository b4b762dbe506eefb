"""Drawing seeds."""

import random

from home_tf.backend import IS_LEGACY


def draw_seed() -> int:
    """Draws a seed like the active Keras, so that `set_random_seed` fixes it."""
    if not IS_LEGACY:
        return random.randrange(2**31)
    import tensorflow as tf

    with tf.init_scope():
        return int(tf.random.uniform((), maxval=2**31 - 1, dtype=tf.int32))
