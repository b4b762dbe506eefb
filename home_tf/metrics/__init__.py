"""Streaming Keras metrics that handle missing labels. Exact: `home_tf.evaluation`."""

from home_tf.metrics.grouped_auc import GroupedAUC as GroupedAUC
from home_tf.metrics.masked_auc import MaskedAUC as MaskedAUC
from home_tf.metrics.masked_log_loss import MaskedLogLoss as MaskedLogLoss
