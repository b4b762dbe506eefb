"""Checks before the dataset is written."""

from home_tf.engines import SPLIT, SPLITS, Table, first_row
from home_tf.errors import HomeError
from home_tf.prepare.columns import Columns
from home_tf.prepare.parts import Counts

_REMEDIES = {
    "missing": "Set `nullable: true` for its features, or derive a number",
    "infinite": "Derive a finite number",
}
_EXAMPLES = {"missing": "coalesce({}, 0)", "infinite": "least({}, 1e6)"}


def check_splits(counts: Counts, *, tests: bool) -> None:
    """Checks the numbers of rows.

    Args:
        counts: The rows of each split and day.
        tests: Whether there are test rows.

    Raises:
        HomeError: If a split has no rows.
    """
    rows = {split: sum(days.values()) for split, days in counts.items()}
    for split, count in rows.items():
        if not count and (tests or split != "test"):
            raise HomeError(
                f"the split `{split}` has no rows; the splits have "
                f"{', '.join(f'{name} {n}' for name, n in rows.items())}. "
                "Change `data.split` or `data.where`"
            )


def check_numbers(dataset: Table, columns: Columns) -> None:
    """Checks the numbers of the table `dataset`.

    Raises:
        HomeError: If a number is missing but must not be, or is not finite.
    """
    numbers = [name for name, kind in columns.kinds.items() if kind == "number"]
    floats = [n for n in columns.kinds if dataset[n].type().is_floating()]
    counts = {f"missing {name}": dataset[name].isnull().sum() for name in numbers}
    counts |= {f"infinite {name}": dataset[name].isinf().sum() for name in floats}
    for found, count in first_row(dataset.agg(**counts)).items() if counts else ():
        problem, name = found.split(" ", 1)
        if count:
            raise HomeError(
                f"`{name}` is {problem} in {count:,} rows. {_REMEDIES[problem]} by "
                f"`data.columns`, such as `{name}: {_EXAMPLES[problem].format(name)}`"
            )


def tasks_without_ones(dataset: Table, columns: Columns) -> list[str]:
    """Makes a line for every label without a 1 in some splits."""
    labels = [name for name, kind in columns.kinds.items() if kind == "label"]
    ones = {name: dataset[name].sum() for name in labels}
    counted = dataset.group_by(SPLIT).agg(**ones).to_pyarrow().to_pylist()
    lacking: dict[str, list[str]] = {}
    for row in sorted(counted, key=lambda row: SPLITS.index(row[SPLIT])):
        for name in labels:
            if not row[name]:
                lacking.setdefault(name, []).append(row[SPLIT])
    return [
        f"`{name}` has no 1 in {' and '.join(splits)}: leave the task out, or take "
        "other rows"
        for name, splits in lacking.items()
    ]
