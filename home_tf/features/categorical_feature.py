"""Categorical features, which are embedded."""

from dataclasses import dataclass
from typing import Literal

from home_tf.errors import HomeError
from home_tf.hints import Size, check_fields


@dataclass(frozen=True, kw_only=True)
class CategoricalFeature:
    """Ids or names, one or several per row, that are looked up in an embedding table.

    Attributes:
        column: The record column; by default the feature's name.
        encoding: `vocabulary`, taken from the training rows, or `hashed`.
        min_count: Values that occur less often in the training rows are out of
            vocabulary.
        oov_buckets: Number of embeddings for out-of-vocabulary values, which are hashed
            over them (`vocabulary`).
        buckets: Number of embeddings (`hashed`).
        width: Width of the embedding; required unless `table` is given.
        table: Another feature, whose vocabulary and embedding table this one shares.
        pooling: How the embeddings of a multi-valued column are combined: `mean`,
            `sum`, or `attention` with the feature named in `attend_with` as the query.
        attend_with: The feature whose embedding is the query of the attention; it
            shares the table.

    Raises:
        HomeError: If a field is out of its range, or two contradict each other.
    """

    column: str | None = None
    encoding: Literal["vocabulary", "hashed"] = "vocabulary"
    min_count: Size = 1
    oov_buckets: Size = 1
    buckets: Size | None = None
    width: Size | None = None
    table: str | None = None
    pooling: Literal["mean", "sum", "attention"] = "mean"
    attend_with: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if (self.encoding == "hashed") != (self.buckets is not None):
            raise HomeError("`buckets` and `encoding: hashed` require each other")
        if (self.table is None) == (self.width is None):
            raise HomeError("set `width`, or `table` to share another feature's table")
        counted = (self.min_count, self.oov_buckets) != (1, 1)
        if counted and self.encoding == "hashed":
            raise HomeError(
                "`min_count` and `oov_buckets` require `encoding: vocabulary`"
            )
        if self.table and (counted or self.encoding == "hashed"):
            raise HomeError(
                "`encoding`, `buckets`, `min_count` and `oov_buckets` are set by the "
                "feature that `table` names: leave them out here"
            )
        if (self.pooling == "attention") != (self.attend_with is not None):
            raise HomeError("`attend_with` and `pooling: attention` require each other")
