"""Turning the losses of several tasks into one optimiser step."""

from home_tf.loss_weighting.gradnorm import GradNorm as GradNorm
from home_tf.loss_weighting.loss_weighting import LossWeighting as LossWeighting
from home_tf.loss_weighting.pcgrad import PCGrad as PCGrad
from home_tf.loss_weighting.uncertainty import Uncertainty as Uncertainty
