"""Optimizers whose step does not depend on the size of the vocabularies."""

from home_tf.optimizers.lazy_adam import LazyAdam as LazyAdam
