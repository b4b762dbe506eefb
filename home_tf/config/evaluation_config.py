"""The section `evaluation`: how the model is measured."""

from dataclasses import dataclass

from home_tf.hints import Size, check_fields


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """How the model is measured.

    Attributes:
        group_by: The record column of GAUC's groups, usually the user; by default there
            is no GAUC.
        bootstrap_replicates: Resamplings of the groups, or without them of the rows,
            behind each interval.
    """

    group_by: str | None = None
    bootstrap_replicates: Size = 500

    def __post_init__(self) -> None:
        check_fields(self)
