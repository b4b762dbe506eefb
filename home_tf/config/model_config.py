"""The section `model`: the network between the features and the logits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from home_tf.config.architecture import Architecture
from home_tf.errors import HomeError
from home_tf.hints import Bounds, NotNegative, Share, Size, check_fields


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The network between the features and the logits.

    Attributes:
        architecture: The layer from the features to the tasks' representations: its
            `type` and arguments, below; without a `type` it is `home`.
        cross_layers: Number of cross layers (DCN-v2) between the features and the
            architecture; 0 for none.
        cross_rank: Width between the two kernels of a cross layer; by default it has
            one kernel, of the width of the features squared.
        tower_units: Widths of the hidden layers of every task's tower.
        prior_initialization: Whether the towers' biases start at the log-odds of their
            tasks' positive rates in the training rows, and not at 0, which is a
            probability of 0.5, from where rare tasks have far to go.
        embedding_l2: Factor of the mean squared norm of a row's embeddings in the loss.
        dropout: Rate of the dropout on the concatenated features, in training.
    """

    architecture: Architecture = field(default_factory=Architecture.of)
    cross_layers: Annotated[int, Bounds(at_least=0)] = 0
    cross_rank: Size | None = None
    tower_units: Sequence[int] = (32,)
    prior_initialization: bool = True
    embedding_l2: NotNegative = 0.0
    dropout: Share = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.cross_rank is not None and not self.cross_layers:
            raise HomeError("`cross_rank` goes with `cross_layers`, and only with it")
