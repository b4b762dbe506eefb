"""The rows on which a task's label is defined."""

from dataclasses import dataclass

from home_tf.hints import check_fields


@dataclass(frozen=True, kw_only=True)
class TaskSpace:
    """The rows on which a task's label is defined.

    Attributes:
        column: The record column that defines the space.
        equals: Its value in the rows where the label is defined.
    """

    column: str
    equals: float

    def __post_init__(self) -> None:
        check_fields(self)
