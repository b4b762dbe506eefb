"""Deriving the columns of records from those of the database."""

from collections.abc import Mapping

from home_tf.config import DataConfig
from home_tf.data import Column
from home_tf.engines import Table, first_row
from home_tf.errors import HomeError
from home_tf.prepare.columns import Kind


def record_columns(
    dataset: Table, kinds: Mapping[str, Kind], data: DataConfig
) -> dict[str, Column]:
    """The columns of the records, in order.

    Args:
        dataset: The table `dataset`.
        kinds: The columns that are written.
        data: The section `data`, which may have the lengths of lists.

    Raises:
        HomeError: If a list holds anything but ids.
    """
    lengths = _longest(dataset, [n for n in kinds if _is_list(dataset, n)])
    for name in lengths:
        given = data.history_lists.get(name) or data.columns.get(name)
        if given is not None and not isinstance(given, str) and given.length:
            lengths[name] = given.length
    return {
        name: Column(_dtype(name, dataset), (lengths[name],) if name in lengths else ())
        for name in kinds
    }


def _is_list(dataset: Table, name: str) -> bool:
    return bool(dataset[name].type().is_array())


def _longest(dataset: Table, names: list[str]) -> dict[str, int]:
    if not names:
        return {}
    longest = dataset.agg(**{name: dataset[name].length().max() for name in names})
    return {name: max(1, length or 0) for name, length in first_row(longest).items()}


def _dtype(name: str, dataset: Table) -> str:
    kind = dataset[name].type()
    kind = kind.value_type if kind.is_array() else kind
    if kind.is_integer():
        return "int32" if kind.nbytes <= 4 else "int64"
    if kind.is_string():
        return "string"
    if _is_list(dataset, name):
        raise HomeError(
            f"`{name}`: a list must contain whole numbers or text. Received: {kind}"
        )
    return "float32"
