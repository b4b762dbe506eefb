"""Encodes many rows at once as serialised `tf.train.Example` protocol buffers.

Building the objects of one example in Python takes longer than everything else that
writing does. All rows have the same columns, so here NumPy lays them out side by side:
every part of a message (a tag, a length, a value) is a matrix of bytes with a row for
each example, padded to its widest row, and a mask drops the padding at the end.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.data.schema import Column

Array = npt.NDArray[Any]
# Bytes `(rows, width)` and which of them are there; None if all are.
Part = tuple[Array, Array | None]

# A field's number and wire type: `(number << 3) | 2` for what has a length.
_FIRST = 0x0A
_SECOND = 0x12
# The most bytes of strings, padding included, that are laid out at once.
_MOST_BYTES = 2**25
# Of `tf.train.Feature`: `bytes_list`, `float_list`, `int64_list`.
_LISTS = {"string": 0x0A, "float32": 0x12, "int32": 0x1A, "int64": 0x1A}


def encode_examples(
    rows: Mapping[str, Array], columns: Mapping[str, Column]
) -> Iterator[bytes]:
    """Encodes rows as protocol buffers do.

    Args:
        rows: `{column: (rows, *shape)}`, little-endian; strings are `bytes` objects.
        columns: The columns.

    Yields:
        The bytes of one `tf.train.Example` a row, with its features in the order of
        their names, so that equal rows are equal bytes.
    """
    count = len(next(iter(rows.values())))
    strings = [v for v in rows.values() if v.dtype == object]
    longest = max((max(map(len, v.ravel()), default=0) for v in strings), default=0)
    if count > 1 and count * longest > _MOST_BYTES:
        # One long string would pad all rows.
        for half in (slice(count // 2), slice(count // 2, None)):
            part = {name: values[half] for name, values in rows.items()}
            yield from encode_examples(part, columns)
        return
    features = _Message(count)
    for name in sorted(columns, key=str.encode):
        feature = _Message(count)
        feature.add_message(_LISTS[columns[name].dtype], _list(rows[name]))
        entry = _Message(count)
        entry.add_bytes(_FIRST, name.encode())
        entry.add_message(_SECOND, feature)
        features.add_message(_FIRST, entry)
    example = _Message(count)
    example.add_message(_FIRST, features)
    yield from example.encode()


class _Message:
    """A message for every row: parts side by side, and the sum of their lengths."""

    def __init__(self, rows: int) -> None:
        self.parts: list[Part] = []
        self.lengths = np.zeros(rows, np.int64)

    def add(self, content: Array, keep: Array | None = None) -> None:
        """Appends bytes `(rows, width)`, or `(1, width)` if all rows have the same."""
        self.parts.append((content, keep))
        self.lengths += content.shape[1] if keep is None else keep.sum(axis=1)

    def add_message(self, tag: int, message: "_Message") -> None:
        """Appends a field that holds a message."""
        self.add(np.array([[tag]], np.uint8))
        self.add(*_varints(message.lengths[:, None]))
        self.parts += message.parts
        self.lengths += message.lengths

    def add_bytes(self, tag: int, content: bytes) -> None:
        """Appends a field that holds the same bytes in all rows."""
        field = _Message(1)
        field.add(np.frombuffer(content, np.uint8)[None])
        self.add_message(tag, field)

    def encode(self) -> Iterator[bytes]:
        """The bytes of each row."""
        shape = len(self.lengths), sum(content.shape[1] for content, _ in self.parts)
        all_bytes, kept = np.empty(shape, np.uint8), np.ones(shape, bool)
        start = 0
        for content, keep in self.parts:
            end = start + content.shape[1]
            all_bytes[:, start:end] = content
            if keep is not None:
                kept[:, start:end] = keep
            start = end
        encoded = all_bytes[kept].tobytes()
        start = 0
        for end in np.cumsum(self.lengths).tolist():
            yield encoded[start:end]
            start = end


def _list(values: Array) -> _Message:
    """A `BytesList`, `FloatList` or `Int64List` of the values of each row."""
    values = values.reshape(len(values), -1)
    message = _Message(len(values))
    if values.dtype == object:
        for column in values.T:
            message.add_message(_FIRST, _strings(column))
        return message
    packed = _Message(len(values))
    if values.dtype.kind == "f":
        packed.add(np.ascontiguousarray(values, "<f4").view(np.uint8))
    else:
        packed.add(*_varints(values))
    message.add_message(_FIRST, packed)
    return message


def _strings(values: Array) -> _Message:
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    keep = np.arange(lengths.max()) < lengths[:, None]
    content = np.zeros(keep.shape, np.uint8)
    content[keep] = np.frombuffer(b"".join(values), np.uint8)
    message = _Message(len(values))
    message.add(content, keep)
    return message


def _varints(values: Array) -> Part:
    """Base-128 varints of integers `(rows, n)`, least significant group first."""
    if values.min() >= 0 and values.max() < 0x80:
        return values.astype(np.uint8), None
    unsigned = values.astype(np.int64).view(np.uint64)[..., None]
    ends = np.uint64(1) << np.arange(7, 64, 7, dtype=np.uint64)
    widest = int(np.searchsorted(ends, unsigned.max(), side="right"))
    shifts = np.arange(0, 7 * widest + 1, 7, dtype=np.uint64)
    groups = unsigned >> shifts
    # A group is there if a bit of it or of a later one is set; the first always is.
    keep = groups > 0
    keep[..., 0] = True
    content = (groups & np.uint64(0x7F)).astype(np.uint8)
    content[..., :-1] |= np.where(keep[..., 1:], np.uint8(0x80), np.uint8(0))
    rows = len(values)
    return content.reshape(rows, -1), keep.reshape(rows, -1)
