"""Prints the peak of memory of two calls, in MiB, in a process of its own."""

import tensorflow as tf

from home_tf.lab.bench.memory import peak_memory

held = tf.ones((2**24,))


def call():
    for _ in range(3):
        (held + 1.0).numpy()  # 64 MiB, three times after another
    a, b = held + 1.0, held + 2.0  # 128 MiB
    (a + b).numpy()  # and 64 more


print(peak_memory(call), peak_memory(lambda: (held + 1.0).numpy()))
