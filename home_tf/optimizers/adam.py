"""Adam of Keras, with the clipping that its documentation promises."""

from home_tf.backend import keras
from home_tf.optimizers.clipping import ClipsByGlobalNorm


@keras.saving.register_keras_serializable(package="home_tf")
class Adam(ClipsByGlobalNorm, keras.optimizers.Adam):
    """`keras.optimizers.Adam` whose `global_clipnorm` bounds the whole gradient.

    The norm is that of the sum over all replicas, with the rows of an id that a batch
    looks up several times added up. All arguments are those of Keras.

    Example:
        >>> model.compile(optimizer=Adam(1e-3, global_clipnorm=1.0))

    References:
        Adam (arXiv 1412.6980), algorithm 1.
    """
