"""Mapping values to ids: 0 if missing, then out-of-vocabulary ids, then known ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import tensorflow as tf

from home_tf.features.side_by_side import (
    holds_for_all,
    is_several,
    join,
    number_of,
    take_apart,
)
from home_tf.types import Tensor

_MISSING = -1
# Instead of an id, if it is one of several that depends on the value.
_HASHED = -1


@dataclass(frozen=True)
class Vocabulary:
    """The known values of a column.

    Attributes:
        values: The values, integers or strings, in the order of their ids.
        oov_buckets: Number of ids for out-of-vocabulary values.
    """

    values: Sequence[Any]
    oov_buckets: int = 1

    @property
    def num_ids(self) -> int:
        """The number of ids: the size of an embedding table."""
        return 1 + self.oov_buckets + len(self.values)

    @property
    def ids(self) -> Any:
        """The ids of the values."""
        return np.arange(1 + self.oov_buckets, self.num_ids, dtype=np.int32)

    @property
    def unknown(self) -> int:
        """The id of unknown values, if all of them share one."""
        return 1 if self.oov_buckets == 1 else _HASHED

    @property
    def is_dense(self) -> bool:
        """Whether the values are dense enough for an array over their range."""
        if isinstance(self.values[0], str):
            return False
        return max(self.values) - min(self.values) < 4 * len(self.values) + 1024


class DenseVocabularies(tf.Module):
    """Vocabularies of integers in small ranges, with a joint lookup.

    Args:
        vocabularies: `{feature: vocabulary}`; features may share one.
    """

    def __init__(self, vocabularies: Mapping[str, Vocabulary]) -> None:
        super().__init__(name="dense_vocabularies")
        different = list({id(one): one for one in vocabularies.values()}.values())
        arrays = [_array_of(one) for one in different]
        starts = accumulate(map(len, arrays), initial=0)
        start_of = dict(zip(map(id, different), starts, strict=False))
        self._places = {
            name: (
                start_of[id(one)] + 1 - min(one.values),
                start_of[id(one)],
                start_of[id(one)] + max(one.values) - min(one.values) + 2,
                one.oov_buckets,
            )
            for name, one in vocabularies.items()
        }
        self._ids = tf.constant(np.concatenate(arrays))

    def __call__(self, columns: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Looks up `{feature: values}`, `(rows,)` or `(rows, n)`; keeps the shapes."""
        found: dict[str, Tensor] = {}
        for once in (True, False):
            # Features with one id per row come first, and are split together.
            names = sorted(
                (n for n, x in columns.items() if holds_for_all(x) == once),
                key=lambda name: is_several(columns[name]),
            )
            if names:
                found |= self._look_up(names, [columns[name] for name in names])
        return {name: found[name] for name in columns}

    def _look_up(self, names: list[str], features: list[Tensor]) -> dict[str, Tensor]:
        counts = [number_of(x) for x in features]
        x = tf.cast(join(features), tf.int64)
        moved, first, last, buckets = np.repeat(
            np.array([self._places[name] for name in names], np.int64), counts, axis=0
        ).T
        ids = tf.gather(self._ids, tf.clip_by_value(x + moved, first, last))
        if (buckets > 1).any():
            hashed = tf.cast(1 + tf.math.floormod(x, buckets), ids.dtype)
            ids = tf.where(ids == _HASHED, hashed, ids)
        ids = tf.where(x == _MISSING, tf.zeros((), ids.dtype), ids)
        return dict(zip(names, _as_they_were(ids, features), strict=True))


def _array_of(vocabulary: Vocabulary) -> Any:
    """Makes the ids of all integers in the range; both ends stand for all others."""
    values = np.asarray(vocabulary.values, np.int64)
    low, high = values.min(), values.max()
    array = np.full(high - low + 3, vocabulary.unknown, np.int32)
    array[values - low + 1] = vocabulary.ids
    return array


def _as_they_were(ids: Tensor, features: list[Tensor]) -> list[Tensor]:
    """Splits joint ids into the shapes of the features."""
    singles = sum(not is_several(x) for x in features)
    counts = [singles] * bool(singles) + [number_of(x) for x in features[singles:]]
    parts = take_apart(ids, counts)
    if not singles:
        return parts
    return [*tf.unstack(parts[0], num=singles, axis=1), *parts[1:]]


class HashedVocabulary(tf.Module):
    """A vocabulary of strings, or of integers far apart, in a hash table.

    Args:
        vocabulary: The vocabulary.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(name="hashed_vocabulary")
        self._buckets = vocabulary.oov_buckets
        self._is_text = isinstance(vocabulary.values[0], str)
        missing: Any = "" if self._is_text else _MISSING
        keys = tf.constant(
            [missing, *vocabulary.values], tf.string if self._is_text else tf.int64
        )
        ids = tf.constant([0, *vocabulary.ids.tolist()])
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(keys, ids), vocabulary.unknown
        )

    def __call__(self, x: Tensor) -> Tensor:
        """Looks up values of any shape."""
        if not self._is_text:
            x = tf.cast(x, tf.int64)
        ids = self._table.lookup(x)
        if self._buckets == 1:
            return ids
        hashed = (
            tf.strings.to_hash_bucket_fast(x, self._buckets)
            if self._is_text
            else tf.math.floormod(x, self._buckets)
        )
        return tf.where(ids == _HASHED, tf.cast(1 + hashed, ids.dtype), ids)
