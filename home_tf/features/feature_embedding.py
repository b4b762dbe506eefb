"""From ids and numbers to the concatenated ranking input `v`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from home_tf.backend import keras, ops
from home_tf.backend.names import scope_name
from home_tf.backend.replicas import mean_over_global_batch
from home_tf.features.table_lookup import TableLookup
from home_tf.layers.layer import Layer

NUMERIC_FEATURES = "numeric_features"


@dataclass(frozen=True)
class EmbeddingTable:
    """An embedding table: `size` ids by `width`; id 0 stands for "missing"."""

    size: int
    width: int


POOLINGS = ("mean", "sum", "attention")


@dataclass(frozen=True)
class EmbeddedFeature:
    """How a feature's ids become one vector.

    Attributes:
        table: Name of its embedding table.
        pooling: `mean`, `sum` or `attention`, for a feature with several ids a row.
        attend_with: The feature whose embedding is the query (`attention`).
    """

    table: str
    pooling: str = "mean"
    attend_with: str | None = None


@keras.saving.register_keras_serializable(package="home_tf")
class FeatureEmbedding(Layer):
    """Embeds ids, pools several ids to one vector, and concatenates all features.

    Args:
        tables: `{table: EmbeddingTable}`.
        features: `{feature: EmbeddedFeature}`, in the order of the output.
        num_numeric: Number of numeric features.
        embedding_l2: Factor of the loss on the squared norm of the embeddings that a
            row looks up, averaged over the global batch. Unlike a regulariser of the
            tables it costs nothing for ids that are not in the batch.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        Dict `{feature: (batch,)}` or `{feature: (batch, length)}` of integer ids,
        padded with 0, and `{"numeric_features": (batch, num_numeric)}`. Ids of static
        batch size 1 beside larger batches hold for all rows, and are embedded once.

    Output shape:
        `(batch, width)`, `width` being the sum of the features' widths and
        `num_numeric`.

    Raises:
        ValueError: If a feature names an unknown table or an unknown feature to attend
            with.
    """

    def __init__(
        self,
        tables: Mapping[str, EmbeddingTable],
        features: Mapping[str, EmbeddedFeature],
        *,
        num_numeric: int = 0,
        embedding_l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tables = dict(tables)
        self.features = dict(features)
        self.num_numeric = num_numeric
        self.embedding_l2 = embedding_l2
        self._check()
        self.embeddings = {
            name: TableLookup(
                table.size, table.width, dtype=self.dtype_policy, name=scope_name(name)
            )
            for name, table in self.tables.items()
        }

    def _check(self) -> None:
        for name, feature in self.features.items():
            if feature.table not in self.tables:
                raise ValueError(
                    "`features` must name tables of `tables`. Received: feature "
                    f"{name!r} with table {feature.table!r}; the tables are "
                    f"{sorted(self.tables)}"
                )
            if feature.pooling not in POOLINGS:
                raise ValueError(
                    f"`pooling` must be one of {POOLINGS}. Received: feature {name!r} "
                    f"with pooling={feature.pooling!r}"
                )
            query = feature.attend_with
            if (query is not None) != (feature.pooling == "attention"):
                raise ValueError(
                    "`attend_with` must be given with pooling='attention', and only "
                    f"with it. Received: feature {name!r} with "
                    f"pooling={feature.pooling!r}, attend_with={query!r}"
                )
            if query is not None and (
                query not in self.features
                or self.features[query].table != feature.table
            ):
                raise ValueError(
                    "`attend_with` must name a feature of the same table. Received: "
                    f"feature {name!r} with attend_with={query!r}"
                )

    @property
    def width(self) -> int:
        """Width of the output."""
        widths = [self.tables[f.table].width for f in self.features.values()]
        return sum(widths) + self.num_numeric

    def build(self, input_shape: Any = None) -> None:
        """Creates the tables."""
        for embedding in self.embeddings.values():
            embedding.build((None,))
        self.built = True

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> Any:
        """`{feature: ids}` to `v`, `(batch, width)`."""
        looked_up = {
            name: self.embeddings[feature.table](inputs[name])
            for name, feature in self.features.items()
        }
        if training and self.embedding_l2:
            self._regularize(looked_up)
        parts = [self._pooled(name, looked_up, inputs) for name in self.features]
        if self.num_numeric:
            parts.append(ops.cast(inputs[NUMERIC_FEATURES], self.compute_dtype))
        return _concatenated(parts)

    def _regularize(self, looked_up: dict[str, Any]) -> None:
        squares: Any = 0.0
        for vectors in looked_up.values():
            axes = tuple(range(1, len(vectors.shape)))
            squares = squares + ops.sum(ops.cast(vectors, "float32") ** 2, axis=axes)
        self.add_loss(self.embedding_l2 * mean_over_global_batch(squares))

    def _pooled(
        self, name: str, looked_up: dict[str, Any], inputs: Mapping[str, Any]
    ) -> Any:
        vectors, feature = looked_up[name], self.features[name]
        if len(vectors.shape) == 2:
            return vectors
        present = ops.cast(inputs[name] > 0, vectors.dtype)
        if feature.attend_with is not None:
            weights = _attention(looked_up[feature.attend_with], vectors, present)
        elif feature.pooling == "sum":
            weights = present
        else:
            count = ops.expand_dims(ops.sum(present, axis=-1), -1)
            weights = present / ops.maximum(count, 1.0)
        if vectors.shape[0] == 1:
            return ops.matmul(weights, vectors[0])
        return ops.einsum("bl,bld->bd", weights, vectors)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "tables": [[name, asdict(table)] for name, table in self.tables.items()],
            "features": [[name, asdict(f)] for name, f in self.features.items()],
            "num_numeric": self.num_numeric,
            "embedding_l2": self.embedding_l2,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "FeatureEmbedding":
        """Rebuilds the layer from `get_config()`."""
        tables = {name: EmbeddingTable(**table) for name, table in config["tables"]}
        features = {name: EmbeddedFeature(**f) for name, f in config["features"]}
        return cls(**{**config, "tables": tables, "features": features})


def _concatenated(parts: Sequence[Any]) -> Any:
    """Parts `(batch, width)` side by side; those of one row are repeated for all."""
    runs = [list(run) for _, run in groupby(parts, key=lambda part: part.shape[0] == 1)]
    joined = [ops.concatenate(run, axis=-1) for run in runs]
    if len(joined) == 1:
        return joined[0]
    rows = next(ops.shape(part)[0] for part in joined if part.shape[0] != 1)
    return ops.concatenate(
        [
            ops.broadcast_to(part, (rows, part.shape[1]))
            if part.shape[0] == 1
            else part
            for part in joined
        ],
        axis=-1,
    )


def _attention(query: Any, keys: Any, present: Any) -> Any:
    """Scaled dot-product weights of the present keys; all zero when there is none."""
    if keys.shape[0] == 1:
        scores = ops.matmul(query, ops.transpose(keys[0]))
    else:
        scores = ops.squeeze(ops.matmul(keys, ops.expand_dims(query, -1)), axis=-1)
    scores = ops.cast(scores / keys.shape[-1] ** 0.5, "float32")
    mask = ops.cast(present, "float32")
    weights = ops.softmax(scores + (mask - 1.0) * 1e9, axis=-1) * mask
    return ops.cast(weights, keys.dtype)
