"""The losses of one task, aware of missing labels and of replicas."""

from home_tf.losses.masked_binary_crossentropy import (
    MaskedBinaryCrossentropy as MaskedBinaryCrossentropy,
)
from home_tf.losses.masked_loss import MaskedLoss as MaskedLoss
from home_tf.losses.masked_regression_loss import (
    MaskedRegressionLoss as MaskedRegressionLoss,
)
