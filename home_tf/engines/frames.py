"""Tables of other libraries."""

from typing import Any

import pyarrow as pa

from home_tf.errors import HomeError


def to_arrow(frame: Any) -> Any:
    """Converts a table of Arrow, pandas or Polars to Arrow, if possible without a copy.

    Raises:
        HomeError: If it is none of them.
    """
    if isinstance(frame, (pa.Table, pa.RecordBatchReader)):
        return frame
    if hasattr(frame, "to_arrow"):  # Polars
        return frame.to_arrow()
    if hasattr(frame, "iloc"):  # pandas
        return pa.Table.from_pandas(frame, preserve_index=False)
    raise HomeError(
        "`source` must be a folder, or a table of Ibis, Arrow, pandas or Polars. "
        f"Received: {type(frame).__name__}"
    )
