"""Reads the user and the video features into entity tables."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from home_tf.errors import HomeError
from home_tf.prepare.csv_stream import integers, stream_csv
from home_tf.prepare.entity_table import EntityTable, Feature

Array = npt.NDArray[Any]

USER_CATEGORIES = (
    "user_active_degree",
    "follow_user_num_range",
    "fans_user_num_range",
    "friend_user_num_range",
    "register_days_range",
)
USER_CODES = (
    "is_live_streamer",
    "is_video_author",
    *(f"onehot_feat{number}" for number in range(18)),
)
USER_NUMBERS = ("follow_user_num", "fans_user_num", "friend_user_num", "register_days")
VIDEO_IDS = ("author_id", "music_id")
VIDEO_CATEGORIES = ("video_type", "upload_type")
VIDEO_CODES = ("music_type",)
VIDEO_NUMBERS = ("server_width", "server_height")

# No published video has more tags.
TAGS = 4
NO_DATE = np.datetime64("NaT", "D")


def read_users(files: Sequence[Path]) -> EntityTable:
    """Reads the user features.

    Args:
        files: `user_features_*.csv[.gz]`; of a user that is there twice, the first
            row counts.

    Returns:
        The users, with the features of `USER_CATEGORIES` (strings, missing ""),
        `USER_CODES` (int32, missing or negative -1) and `USER_NUMBERS` (float32,
        missing 0).

    Raises:
        HomeError: If a file cannot be read.
    """
    kinds: dict[str, _Kind] = {
        **dict.fromkeys(USER_CATEGORIES, _STRING),
        **dict.fromkeys(USER_CODES, _CODE),
        **dict.fromkeys(USER_NUMBERS, _NUMBER),
    }
    return _read(files, "user_id", kinds)


def read_videos(files: Sequence[Path]) -> EntityTable:
    """Reads the video features.

    Args:
        files: `video_features_basic_*.csv[.gz]`; of a video that is there twice, the
            first row counts.

    Returns:
        The videos, with the features of `VIDEO_IDS` (int64, missing -1),
        `VIDEO_CATEGORIES` (strings, missing ""), `VIDEO_CODES` (int32, missing -1),
        `VIDEO_NUMBERS` (float32, missing 0), `tag` (int32, `(TAGS,)`, padded with -1
        at the end) and `upload_dt` (days, missing NaT).

    Raises:
        HomeError: If a file cannot be read or a tag is not a number.
    """
    kinds: dict[str, _Kind] = {
        **dict.fromkeys(VIDEO_IDS, _ID),
        **dict.fromkeys(VIDEO_CATEGORIES, _STRING),
        **dict.fromkeys(VIDEO_CODES, _CODE),
        **dict.fromkeys(VIDEO_NUMBERS, _NUMBER),
        "tag": _STRING,
        "upload_dt": _DATE,
    }
    table = _read(files, "video_id", kinds)
    tag = table.features["tag"]
    parsed = {"tag": Feature(_parse_tags(tag.values), tag.codes)}
    return EntityTable(
        table.ids,
        {**table.features, **parsed},
        {**table.missing, "tag": -1},
        table.known,
    )


class _Kind(NamedTuple):
    """How a kind of column is read."""

    csv: pa.DataType
    dtype: str
    missing: Any

    def encode(self, name: str, chunks: Sequence[pa.ChunkedArray]) -> Feature:
        """Encodes a column of a whole table that came in chunks."""
        column = pa.chunked_array([c for part in chunks for c in part.chunks], self.csv)
        encoded = column.combine_chunks().dictionary_encode()
        values: Array = encoded.dictionary.to_numpy(zero_copy_only=False)
        if self.dtype[:3] == "int":
            values = _whole_numbers(name, values, np.iinfo(self.dtype))
        values = values.astype(self.dtype)
        if self.dtype[:3] in ("int", "flo"):
            # -124 is one of the ways in which KuaiRand says "unknown".
            values = np.maximum(values, self.missing)
        codes = encoded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
        missing = np.array([self.missing]).astype(self.dtype)
        values = np.concatenate([values, missing])
        if self.dtype[:3] == "int":  # 1 and 1.0 are one value
            values, places = np.unique(values, return_inverse=True)
            codes = places.reshape(-1)[codes]
        return Feature(values, codes.astype(np.int32))


_STRING = _Kind(pa.string(), "str", "")
# Whole numbers may be written as 1.0; as floats, ids from 2^53 on would be rounded.
_ID = _Kind(pa.string(), "int64", -1)
_CODE = _Kind(pa.string(), "int32", -1)
_NUMBER = _Kind(pa.float64(), "float32", 0.0)
_DATE = _Kind(pa.date32(), "datetime64[D]", NO_DATE)


def _read(files: Sequence[Path], key: str, kinds: dict[str, _Kind]) -> EntityTable:
    types = {key: pa.int64(), **{name: kind.csv for name, kind in kinds.items()}}
    tables: list[pa.Table] = []
    ids: list[Array] = []
    for file in files:
        for table in stream_csv(file, types):
            ids.append(integers(table, key, file))
            tables.append(table)
    if not tables:
        raise HomeError(f"{files[0]} has no rows: no {key} has features")
    return EntityTable.build(
        np.concatenate(ids),
        {
            name: kind.encode(name, [table[name] for table in tables])
            for name, kind in kinds.items()
        },
        {name: kind.missing for name, kind in kinds.items()},
    )


def _whole_numbers(name: str, texts: Array, limits: "np.iinfo[Any]") -> Array:
    """Different texts as the integers that they are, exactly.

    Raises:
        HomeError: If one is none, or out of the limits.
    """
    return np.array([_whole_number(name, text, limits) for text in texts], np.int64)


def _whole_number(name: str, text: str, limits: "np.iinfo[Any]") -> int:
    try:
        number = Decimal(text)
        whole = number.is_finite() and number == int(number)
    except InvalidOperation:
        whole = False
    if not whole or not limits.min <= number <= limits.max:
        raise HomeError(
            f"column `{name}` of the features must hold whole numbers that fit "
            f"{limits.dtype}. Received: {text!r}"
        )
    return int(number)


def _parse_tags(texts: Array) -> npt.NDArray[np.int32]:
    tags = np.full((len(texts), TAGS), -1, np.int32)
    limits = np.iinfo(np.int32)
    for row, text in enumerate(texts.tolist()):
        try:
            found = [int(tag) for tag in text.split(",") if tag.strip()][:TAGS]
            if any(not limits.min <= tag <= limits.max for tag in found):
                raise ValueError  # an older NumPy would take a part of its bits
            tags[row, : len(found)] = found
        except (ValueError, OverflowError):
            raise HomeError(
                "column `tag` of the video features must hold whole numbers that fit "
                f"int32, joined by commas. Received: {text!r}"
            ) from None
    return tags
