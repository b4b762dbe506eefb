"""The section `serving.score`: one number to rank by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from home_tf.hints import NotEmpty, check_fields

# The output of an export in addition to those of the tasks.
SCORE = "score"


@dataclass(frozen=True, kw_only=True)
class ScoreConfig:
    """One number to rank by, from the tasks' probabilities or numbers `p`.

    Attributes:
        form: `product` of `p ** weight`, or `sum` of `weight * p`.
        weights: `{task: weight}`; tasks that are not named do not count.
    """

    form: Literal["product", "sum"] = "product"
    weights: Annotated[Mapping[str, float], NotEmpty()]

    def __post_init__(self) -> None:
        check_fields(self)
