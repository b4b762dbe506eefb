"""The gate over a group's own experts."""

from typing import Any

from home_tf.backend import keras, ops
from home_tf.layers.expert_gate import ExpertGate


@keras.saving.register_keras_serializable(package="home_tf")
class SelfGate(ExpertGate):
    """Mixes a group's own experts, whatever the other gates prefer (eq. 11).

    A softmax, or a sigmoid if the group has one expert, since a softmax over one is
    always 1. Its output is added to that of the group's `ExpertGate`, so that the
    group's own experts always get a gradient (expert underfitting).

    Arguments, call arguments and output shape are those of `ExpertGate`.

    Examples:
        >>> z = ExpertGate(4)(v, visible) + SelfGate(2)(v, own)   # (batch, 64)

    References:
        HoME (arXiv 2408.05430), eq. 11.
    """

    def _activate(self, logits: Any) -> Any:
        if self.num_experts == 1:
            return ops.sigmoid(logits)
        return super()._activate(logits)
