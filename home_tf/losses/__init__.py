"""Losses of a single task that handle missing labels and several replicas."""

from home_tf.losses.masked_binary_crossentropy import (
    MaskedBinaryCrossentropy as MaskedBinaryCrossentropy,
)
from home_tf.losses.masked_loss import MaskedLoss as MaskedLoss
from home_tf.losses.masked_regression_loss import (
    MaskedRegressionLoss as MaskedRegressionLoss,
)
