"""The section `model`: the network between the features and the logits."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from home_tf.config.architecture import Architecture
from home_tf.hints import NotNegative, Share, check_fields


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The network between the features and the logits.

    Attributes:
        architecture: The layer from the features to the tasks' representations: its
            `type`, by default `home`, and its arguments, below.
        tower_units: Widths of the hidden layers of each task's tower.
        prior_initialization: Whether each tower's bias starts at the log-odds of its
            task's positive rate in the training rows. Otherwise towers start at a
            probability of 0.5, and rare tasks spend much of the training coming down.
        embedding_l2: L2 penalty: factor of the mean squared norm of a row's embeddings
            in the loss.
        dropout: Dropout rate on the concatenated features during training.
    """

    architecture: Architecture = field(default_factory=Architecture.of)
    tower_units: Sequence[int] = (32,)
    prior_initialization: bool = True
    embedding_l2: NotNegative = 0.0
    dropout: Share = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
