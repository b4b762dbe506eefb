"""Strategies of `tf.distribute` on the logical devices that the tests set up."""

import functools

import tensorflow as tf


@functools.cache
def two_devices():
    # One for the process: TensorFlow mixes up the collective operations of two.
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
