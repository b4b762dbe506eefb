"""A strategy of two replicas, for tests that must not tell it from one device."""

import functools

import tensorflow as tf


@functools.cache
def two_devices():
    # One for the process: TensorFlow mixes up the collective operations of two.
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
