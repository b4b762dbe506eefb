"""The section `evaluation`: how the model is evaluated."""

from dataclasses import dataclass

from home_tf.hints import Size, check_fields


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """How the model is evaluated.

    Attributes:
        group_by: The record column that groups the rows for GAUC, usually the user; by
            default there is no GAUC.
        bootstrap_replicates: Number of bootstrap replicates for each interval. They
            resample groups, or rows if there are no groups.
    """

    group_by: str | None = None
    bootstrap_replicates: Size = 500

    def __post_init__(self) -> None:
        check_fields(self)
