"""Adam, with the gradient clipped as a whole, and lazy for embedding tables."""

from home_tf.optimizers.adam import Adam as Adam
from home_tf.optimizers.lazy_adam import LazyAdam as LazyAdam
