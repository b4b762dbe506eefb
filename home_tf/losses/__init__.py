"""The loss of one task, aware of missing labels and of replicas."""

from home_tf.losses.masked_binary_crossentropy import (
    MaskedBinaryCrossentropy as MaskedBinaryCrossentropy,
)
