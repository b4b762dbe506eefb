"""Starting a run from an earlier one: its weights, and growing vocabularies."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from home_tf.config import Config, differing_keys
from home_tf.data import DatasetDirectory, Vocabulary
from home_tf.data.dataset_directory import STATISTICS_FILE
from home_tf.errors import HomeError
from home_tf.features import CategoricalFeature
from home_tf.features.feature import check_columns
from home_tf.files import AnyPath, PathLike, as_path, read_json, write_json
from home_tf.run import Run

# Sections of the configuration in which a run may differ from the earlier one.
_MAY_DIFFER = ("data", "evaluation", "serving", "training")
# In the folder of the counts: the run that they continue.
_ORIGIN_FILE = "start_from.json"


def started_from(run: Run) -> str | None:
    """Returns the run that a run started from; None if it started from scratch."""
    counts = run.find_counts()
    return None if counts is None else str(read_json(counts / _ORIGIN_FILE)["run"])


class EarlierRun:
    """A run that another one starts from.

    Args:
        folder: Its folder.
        new_statistics: Whether numeric features are normalised by the new training rows
            instead of those of the earlier run. The bounds of buckets and the units of
            labels stay the same, because the weights depend on them.

    Attributes:
        run: The run.
    """

    def __init__(self, folder: PathLike, *, new_statistics: bool = False) -> None:
        self.run = Run(as_path(folder))
        self._new_statistics = new_statistics

    def check(self, config: Config) -> None:
        """Checks that the run's weights fit a configuration.

        Raises:
            HomeError: If the features, tasks or model of the run differ, or the
                training would not keep what the weights have learnt.
        """
        found = self.run.load_config()
        different = [
            key
            for key in differing_keys(found, config)
            if key.split(".")[0] not in _MAY_DIFFER
        ]
        if different:
            raise HomeError(
                f"{self.run.folder}: its weights do not fit the configuration, which "
                f"differs in {', '.join(different)}. Only `data`, `training`, "
                "`evaluation` and `serving` may differ"
            )
        training = config.training
        if training.learning_rate_decay != "none":
            raise HomeError(
                "`training.learning_rate_decay` must be none for a run that starts "
                "from another's weights: the optimizer continues to count its steps, "
                f"past the end of the decay. Received: {training.learning_rate_decay}"
            )
        if training.reset_embeddings and training.epochs > 1:
            raise HomeError(
                "`training.reset_embeddings` would forget the embeddings of the run "
                "that this one starts from. Set it to false, or `training.epochs` to 1"
            )

    @property
    def name(self) -> str:
        """The name under which a new run records this one."""
        return str(self.run.folder.resolve())

    @property
    def checkpoint(self) -> AnyPath:
        """The folder of the run's best checkpoint.

        Raises:
            HomeError: If the other Keras trained the run.
        """
        return self.run.find_best()

    @contextmanager
    def open_data(
        self, data: DatasetDirectory | PathLike, config: Config, to: Run
    ) -> Iterator[DatasetDirectory]:
        """Yields new data with vocabularies that continue those of this run.

        Known ids keep their rows in the tables, and new ones are appended.

        Args:
            data: The new dataset directory.
            config: The configuration.
            to: The new run; if it has begun already, it has the vocabularies.

        Raises:
            HomeError: If the earlier run's vocabularies cannot be found, or the new run
                started from another one.
        """
        path = data.path if isinstance(data, DatasetDirectory) else data
        kept = to.find_counts()
        if kept is not None:
            noted = started_from(to)
            if noted != self.name:
                raise HomeError(
                    f"{to.folder}: started from the weights of {noted}. Received: "
                    f"{self.name}. Choose another folder, or name the run that it "
                    "started from"
                )
            yield DatasetDirectory(path, counts=kept)
            return
        new = DatasetDirectory(path)
        check_columns(config.features, new)
        before = DatasetDirectory(path, counts=self._find_counts())
        with TemporaryDirectory() as scratch:
            write_json(Path(scratch, _ORIGIN_FILE), {"run": self.name})
            self._write_statistics(before, new, config, Path(scratch))
            for column, least in _min_counts(config).items():
                grown = _grow(before.vocabulary(column), new.vocabulary(column), least)
                grown.save(Path(scratch, "vocabularies", f"{column}.csv"))
            yield DatasetDirectory(path, counts=scratch)

    def _find_counts(self) -> AnyPath:
        """Finds the folder of the run's vocabularies and statistics."""
        return self.run.find_counts() or self.run.open_data().counts

    def _write_statistics(
        self,
        before: DatasetDirectory,
        new: DatasetDirectory,
        config: Config,
        folder: Path,
    ) -> None:
        kept = read_json(before.counts / STATISTICS_FILE)
        if self._new_statistics:
            labels = {task.label or name for name, task in config.tasks.items()}
            for column, values in read_json(new.counts / STATISTICS_FILE).items():
                # The bounds of the buckets define the meaning of the rows of a table.
                if column not in labels:
                    kept[column] = {**values, **_quantiles(kept.get(column, {}))}
        write_json(folder / STATISTICS_FILE, kept)


def _quantiles(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: found for key, found in values.items() if key == "quantiles"}


def _min_counts(config: Config) -> dict[str, int]:
    """Returns `{column: min_count}` of the columns with a vocabulary.

    Raises:
        HomeError: If two features of the same column have different values.
    """
    found: dict[str, int] = {}
    for name, feature in config.features.items():
        if not isinstance(feature, CategoricalFeature) or feature.table:
            continue
        if feature.encoding != "vocabulary":
            continue
        least = found.setdefault(feature.column or name, feature.min_count)
        if least != feature.min_count:
            raise HomeError(
                f"the features of column `{feature.column or name}` must have the same "
                "`min_count` in a run that starts from another's weights. Received: "
                f"{least} and {feature.min_count}"
            )
    return found


def _grow(before: Vocabulary, new: Vocabulary, least: int) -> Vocabulary:
    """Appends new values to those in use, which keep their order.

    The new ones are in the order of their counts, added up over both, so that those
    seen often enough come first.
    """
    counts = Counter(dict(zip(before.values, before.counts, strict=True)))
    counts.update(dict(zip(new.values, new.counts, strict=True)))
    used: Sequence[Any] = before.seen(least)
    others = sorted(counts.keys() - set(used), key=lambda one: (-counts[one], one))
    values = (*used, *others)
    return Vocabulary(values, tuple(counts[value] for value in values))
