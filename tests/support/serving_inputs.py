"""Batches of records as the signatures of an export take them."""

import numpy as np
import tensorflow as tf


def serving_inputs(batch, names):
    return {
        name: tf.cast(batch[name], tf.int64)
        if batch[name].dtype == tf.int32
        else batch[name]
        for name in names
    }


def example_of(batch, row):
    features = {}
    for name, values in batch.items():
        value = np.asarray(values[row]).ravel().tolist()
        if values.dtype == tf.string:
            feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
        elif values.dtype == tf.float32:
            feature = tf.train.Feature(float_list=tf.train.FloatList(value=value))
        else:
            feature = tf.train.Feature(int64_list=tf.train.Int64List(value=value))
        features[name] = feature
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString()
