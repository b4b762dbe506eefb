"""Adam that clips by the global norm, and a lazy version for embedding tables."""

from home_tf.optimizers.adam import Adam as Adam
from home_tf.optimizers.lazy_adam import LazyAdam as LazyAdam
