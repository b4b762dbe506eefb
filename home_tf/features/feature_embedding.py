"""From ids and numbers to the concatenated ranking input `v`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np

from home_tf.backend import keras, ops
from home_tf.backend.checked import checked
from home_tf.backend.replicas import mean_over_global_batch
from home_tf.backend.table_rows import TableRows
from home_tf.features.side_by_side import (
    holds_for_all,
    is_several,
    join,
    number_of,
    take_apart,
)
from home_tf.features.table_stack import TableStack
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
    """How a feature's ids are turned into one vector.

    Attributes:
        table: Name of its embedding table.
        pooling: `mean`, `sum` or `attention`, for a feature with several ids per row.
        attend_with: The feature whose embedding is the query (`attention`).
    """

    table: str
    pooling: str = "mean"
    attend_with: str | None = None


@keras.saving.register_keras_serializable(package="home_tf")
class FeatureEmbedding(Layer):
    """Embeds ids, pools several ids into one vector, and concatenates all features.

    Args:
        tables: `{table: EmbeddingTable}`.
        features: `{feature: EmbeddedFeature}`, in the order of the output.
        num_numeric: Number of numeric features.
        embedding_l2: Factor of an L2 penalty on the embeddings that a row looks up,
            averaged over the global batch. Unlike a regulariser of the tables, it costs
            nothing for ids that are not in the batch.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        - `inputs`: See below.
        - `training`: Whether this is a training call.
        - `check_ids`: Whether ids outside of their table are an error. Ids from a
          `Preprocessor` never are; unchecked, other ids may read rows of other tables.

    Input shape:
        Dict `{feature: (batch,)}` or `{feature: (batch, length)}` of integer ids,
        padded with 0, and `{"numeric_features": (batch, num_numeric)}`. Ids with a
        static batch size of 1 next to larger batches apply to all rows, and are
        embedded once.

    Output shape:
        `(batch, width)`, where `width` is the sum of the features' widths and
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
        self.stacks = {
            str(width): self._make_stack(width)
            for width in dict.fromkeys(table.width for table in self.tables.values())
        }
        self._replaced: dict[str, Any] = {}

    def _make_stack(self, width: int) -> TableStack:
        sizes = {n: t.size for n, t in self.tables.items() if t.width == width}
        return TableStack(sizes, width, dtype=self.dtype_policy, name=f"width_{width}")

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
    def widths(self) -> dict[str, int]:
        """`{feature: width}` of the embedded features, in the order of the output."""
        return {
            name: self.tables[feature.table].width
            for name, feature in self.features.items()
        }

    @property
    def width(self) -> int:
        """Width of the output."""
        return sum(self.widths.values()) + self.num_numeric

    def embedding_of(self, feature: str) -> TableRows:
        """The embedding table of a feature, to read or assign, `(size, width)`."""
        return self.rows_of(self.features[feature].table)

    def rows_of(self, table: str) -> TableRows:
        """An embedding table, to read or assign, `(size, width)`."""
        return self.stacks[str(self.tables[table].width)].rows_of(table)

    def replace_tables(self, make: Callable[[TableStack], Any]) -> list[Any]:
        """Replaces the tables for all further lookups.

        Args:
            make: Makes the replacement for the tables of one width, which is called
                with rows.

        Returns:
            The replacements.
        """
        self._replaced = {width: make(stack) for width, stack in self.stacks.items()}
        return list(self._replaced.values())

    def build(self, input_shape: Any = None) -> None:
        """Creates the tables."""
        for stack in self.stacks.values():
            stack.build((None,))
        self.built = True

    def call(
        self,
        inputs: Mapping[str, Any],
        training: bool | None = None,
        check_ids: bool = True,
    ) -> Any:
        """Computes `v`, `(batch, width)`, from `{feature: ids}`."""
        runs = self._runs(inputs)
        blocks = self._look_up(runs, inputs, check_ids)
        parts: list[Any] = []
        for run, block in zip(runs, blocks, strict=True):
            if is_several(inputs[run[0]]):
                query = self._query(run[0], runs, blocks)
                parts.append(self._pooled(run[0], block, query, inputs[run[0]]))
            else:
                parts.append(block)
        if training and self.embedding_l2:
            norms = sum(map(_squared_norms, blocks))
            self.add_loss(self.embedding_l2 * mean_over_global_batch(norms))
        if self.num_numeric:
            parts.append(ops.cast(inputs[NUMERIC_FEATURES], self.compute_dtype))
        return _concatenated(parts)

    def _runs(self, inputs: Mapping[str, Any]) -> list[list[str]]:
        """Groups consecutive features that are alike into runs."""
        widths = self.widths

        def kind(numbered: tuple[int, str]) -> tuple[int, bool, int]:
            number, name = numbered
            ids = inputs[name]
            alone = number if is_several(ids) else -1
            return widths[name], holds_for_all(ids), alone

        each = groupby(enumerate(self.features), kind)
        return [[name for _, name in run] for _, run in each]

    def _look_up(
        self, runs: list[list[str]], inputs: Mapping[str, Any], check_ids: bool
    ) -> list[Any]:
        """Looks up the embeddings of each run, `(rows, ids * width)`.

        One lookup per width; or two, because ids that apply to all rows are looked up
        only once.
        """
        kinds: dict[tuple[str, bool], list[int]] = {}
        for number, (name, *_) in enumerate(runs):
            kind = str(self.widths[name]), holds_for_all(inputs[name])
            kinds.setdefault(kind, []).append(number)
        blocks: dict[int, Any] = {}
        for (width, _), numbers in kinds.items():
            names = [name for number in numbers for name in runs[number]]
            rows = self._rows(self.stacks[width], names, inputs, check_ids)
            vectors = self._replaced.get(width, self.stacks[width])(rows)
            counts = [sum(number_of(inputs[n]) for n in runs[i]) for i in numbers]
            widths = [count * int(width) for count in counts]
            together = _side_by_side(vectors)
            blocks |= zip(numbers, take_apart(together, widths), strict=True)
        return [blocks[number] for number in range(len(runs))]

    def _rows(
        self,
        stack: TableStack,
        names: Sequence[str],
        inputs: Mapping[str, Any],
        check_ids: bool,
    ) -> Any:
        """The rows of a stack that features look up, joined, `(rows, ids)`."""
        sizes, firsts = [], []
        for name in names:
            table, number = self.features[name].table, number_of(inputs[name])
            sizes += [stack.sizes[table]] * number
            firsts += [stack.first_rows[table]] * number
        dtype = "int64" if stack.num_rows >= 2**31 else "int32"
        ids = ops.cast(join(inputs[name] for name in names), dtype)
        if check_ids:
            message = (
                f"ids of {', '.join(names)} must be at least 0 and below the size of "
                "their table."
            )
            valid = (ids >= 0) & (ids < np.array(sizes, dtype))
            ids = checked(ids, valid, message)
        return ids + np.array(firsts, dtype)

    def _query(self, name: str, runs: list[list[str]], blocks: list[Any]) -> Any:
        """The query vectors of a feature's attention pooling, `(rows, width)`."""
        query = self.features[name].attend_with
        for run, block in zip(runs, blocks, strict=True):
            if query in run:
                width = self.widths[query]
                first = run.index(query) * width
                return block if len(run) == 1 else block[:, first : first + width]
        return None

    def _pooled(self, name: str, vectors: Any, query: Any, ids: Any) -> Any:
        """Pools a feature's vectors, `(rows, ids * width)`, into `(rows, width)`."""
        rows = 1 if vectors.shape[0] == 1 else -1
        vectors = ops.reshape(vectors, (rows, ids.shape[1], self.widths[name]))
        present = ops.cast(ids > 0, vectors.dtype)
        if query is not None:
            weights = _attention(query, vectors, present)
        elif self.features[name].pooling == "sum":
            weights = present
        else:
            count = ops.sum(present, axis=-1, keepdims=True)
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


def _side_by_side(block: Any) -> Any:
    """`(rows, ids, width)` as `(rows, ids * width)`."""
    rows, number, width = block.shape
    return ops.reshape(block, (1 if rows == 1 else -1, number * width))


def _squared_norms(block: Any) -> Any:
    """The squared norm of each row's vectors, `(rows,)`."""
    return ops.sum(ops.cast(block, "float32") ** 2, axis=1)


def _concatenated(parts: Sequence[Any]) -> Any:
    """Concatenates parts `(batch, width)`; those with one row are repeated for all."""
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
    """Scaled dot-product weights of the present keys; all zero if there are none."""
    if keys.shape[0] == 1:
        scores = ops.matmul(query, ops.transpose(keys[0]))
    else:
        scores = ops.squeeze(ops.matmul(keys, ops.expand_dims(query, -1)), axis=-1)
    scores = ops.cast(scores / keys.shape[-1] ** 0.5, "float32")
    mask = ops.cast(present, "float32")
    weights = ops.softmax(scores + (mask - 1.0) * 1e9, axis=-1) * mask
    return ops.cast(weights, keys.dtype)
