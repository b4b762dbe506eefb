"""A run's folder: everything that belongs to one training.

TensorFlow and Keras are imported only when needed, because the run determines which
Keras to start.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from home_tf.config import peek_framework
from home_tf.errors import HomeError
from home_tf.files import (
    AnyPath,
    PathLike,
    atomic_directory,
    check_vacant,
    locked,
    read_json,
    remove_directory,
    write_json,
)
from home_tf.provenance import git_revision

if TYPE_CHECKING:
    from home_tf.config import Config
    from home_tf.data import DatasetDirectory

# The file of a diagnosis that is written last.
DIAGNOSTICS_FILE = "diagnostics.json"
# What may differ when a run is resumed: these only define when to stop, what is saved
# meanwhile, the number of machines, and who reads the rows.
_RESUMABLE = {
    "training.epochs",
    "training.patience",
    "training.checkpoint_every",
    "training.keep_checkpoints",
    "training.strategy",
    "training.data_service",
}


@dataclass(frozen=True)
class Run:
    """The folder of a run.

    Attributes:
        folder: The folder. In it: `config.yaml`, the configuration with all defaults;
            `run.json`, which data it was trained on, by which revision and Keras;
            `checkpoints/step-<number>` of the last steps and `checkpoints/best`;
            `logs/` for TensorBoard; `history.csv`, a line for each validation;
            `experts.jsonl`, the curves of the experts and gates; `metrics.json`, what
            `evaluate` measured; `diagnosis/`, what `diagnose` did; `counts/`, the
            vocabularies and statistics of a run that began with another's weights.
    """

    folder: AnyPath

    @property
    def config_file(self) -> AnyPath:
        """The configuration, as trained."""
        return self.folder / "config.yaml"

    @property
    def checkpoints(self) -> AnyPath:
        """The folder of the checkpoints."""
        return self.folder / "checkpoints"

    @property
    def history_file(self) -> AnyPath:
        """A line of losses and metrics for each validation."""
        return self.folder / "history.csv"

    @property
    def metrics_file(self) -> AnyPath:
        """The metrics of every evaluated split."""
        return self.folder / "metrics.json"

    @property
    def curves_file(self) -> AnyPath:
        """A line with the curves of the experts and gates for each measurement."""
        return self.folder / "experts.jsonl"

    @property
    def diagnosis(self) -> AnyPath:
        """The folder of `diagnostics.json`, `report.html` and its plots."""
        return self.folder / "diagnosis"

    @property
    def counts(self) -> AnyPath:
        """Vocabularies and statistics, of a run that began with another's weights."""
        return self.folder / "counts"

    @property
    def state_file(self) -> AnyPath:
        """The data, revision, Keras and speed of the training."""
        return self.folder / "run.json"

    def load_config(self) -> "Config":
        """The configuration of the run.

        Raises:
            HomeError: If there is no run in the folder.
        """
        # Imported late: it imports Keras, and the run determines which.
        from home_tf.config import load_config

        self._check()
        return load_config(self.config_file)

    def _check(self) -> None:
        if not self.config_file.is_file():
            raise HomeError(
                f"{self.folder}: does not contain a run (no config.yaml). Run `home-tf "
                "train` first, or name another folder"
            )

    def load_state(self) -> dict[str, Any]:
        """Returns what `save_state` wrote; empty before the first epoch."""
        return read_json(self.state_file) if self.state_file.is_file() else {}

    def save_state(self, **state: Any) -> None:
        """Adds to the state of the run."""
        write_json(self.state_file, {**self.load_state(), **state})

    def open_data(
        self, path: "DatasetDirectory | PathLike | None" = None
    ) -> "DatasetDirectory":
        """Opens the dataset directory that the run was trained on.

        Args:
            path: Its path; by default the recorded one.

        Raises:
            HomeError: If it does not exist, or holds other data.
        """
        from home_tf.data import DatasetDirectory

        found = self.load_state().get("data")
        if path is None and not isinstance(found, str):
            raise HomeError(
                f"{self.state_file}: does not say which data the run was trained on. "
                "Pass it as `data`"
            )
        if isinstance(path, DatasetDirectory):
            data = path
        else:
            data = DatasetDirectory(path or str(found), counts=self.find_counts())
        self._check_data(data)
        return data

    def find_counts(self) -> AnyPath | None:
        """Finds the folder `counts`; None if the counts are of the training rows."""
        return self.counts if (self.counts / "statistics.json").is_file() else None

    def _check_data(self, data: "DatasetDirectory") -> None:
        state = self.load_state()
        if state.get("data_sha256") != data.fingerprint:
            raise HomeError(
                f"{self.folder}: was trained on other data, which was at "
                f"{state.get('data')}. Received: {data}, whose schema, vocabularies or "
                "statistics differ. Pass the data of the run, or train a new run"
            )

    @contextmanager
    def hold(self, config: "Config", data: "DatasetDirectory") -> Iterator[None]:
        """Creates the folder of a new run, or locks an existing one to resume.

        Nothing is written to a run while another training holds it.

        Args:
            config: The configuration; more epochs than in the run, or another patience,
                extend it.
            data: The dataset directory.

        Raises:
            HomeError: On entry, if the folder has a run of another configuration, of
                other data or of the other Keras, or anything else, or if the run is
                already being trained.
        """
        from home_tf.config import dump_config

        where = {"data": str(data.path.resolve()), "data_sha256": data.fingerprint}
        if not self.config_file.is_file():
            self._make(config, where, data)
        busy = (
            f"{self.folder}: another training of this run is going on. Wait for its "
            "end, or name another folder"
        )
        with locked(self.folder / ".lock", busy):
            self._check_keras()
            self._check_config(config)
            self._check_data(data)
            self.save_state(**where)
            dump_config(config, self.config_file)
            yield

    def _make(
        self, config: "Config", state: dict[str, Any], data: "DatasetDirectory"
    ) -> None:
        from home_tf.config import dump_config

        check_vacant(self.folder, "a run")
        with atomic_directory(self.folder, marker=self.config_file.name) as aside:
            write_json(aside / self.state_file.name, state)
            if data.counts != data.path:
                shutil.copytree(str(data.counts), aside / self.counts.name)
            dump_config(config, aside / self.config_file.name)

    def _check_config(self, config: "Config") -> None:
        from home_tf.config import differing_keys, load_config

        found = load_config(self.config_file)
        different = differing_keys(found, config)
        fewer = config.training.epochs < found.training.epochs
        decayed = config.training.learning_rate_decay != "none"
        if set(different) <= _RESUMABLE and not fewer:
            if not decayed or "training.epochs" not in different:
                return
            raise HomeError(
                f"{self.folder}: `training.learning_rate_decay` has brought the "
                f"learning rate to zero over {found.training.epochs} epochs, so the "
                "run cannot be extended. Train a new run"
            )
        raise HomeError(
            f"{self.folder}: contains a run with another configuration; it differs in "
            f"{', '.join(different)}. Choose another folder, or use the run's own "
            f"{self.config_file.name}; only more epochs extend a run"
        )

    def start_training(self) -> None:
        """Records what trains the run from now on."""
        from home_tf.backend import IS_LEGACY

        self.save_state(git_revision=git_revision(), legacy_keras=IS_LEGACY)
        # They belong to the checkpoint that this training replaces.
        self.metrics_file.unlink(missing_ok=True)
        if self.diagnosis.is_dir():
            remove_directory(self.diagnosis, marker=DIAGNOSTICS_FILE)

    def find_best(self) -> AnyPath:
        """Finds the folder of the best checkpoint.

        Raises:
            HomeError: If the other Keras trained the run.
        """
        self._check_keras()
        return self.checkpoints / "best"

    def _check_keras(self) -> None:
        # The two store the state of optimizers and random numbers differently.
        from home_tf.backend import IS_LEGACY, other_keras, this_keras

        if self.load_state().get("legacy_keras") in (None, IS_LEGACY):
            return
        remedy = (
            "Unset TF_USE_LEGACY_KERAS" if IS_LEGACY else "Set TF_USE_LEGACY_KERAS=1"
        )
        raise HomeError(
            f"{self.folder}: was trained with {other_keras()}, but this is "
            f"{this_keras()}. {remedy} before TensorFlow is imported"
        )

    def describe(self) -> dict[str, Any]:
        """Describes the run for an export: revision, configuration and metrics."""
        metrics = self.metrics_file
        return {
            "training_git_revision": self.load_state().get("git_revision"),
            "config": self.config_file.read_text(encoding="utf-8"),
            "metrics": read_json(metrics) if metrics.is_file() else None,
        }

    @property
    def framework(self) -> str:
        """`tfrs` if legacy Keras trained the run, else the configured framework.

        It is read without importing Keras.

        Raises:
            HomeError: If there is no run in the folder.
        """
        # From Python, legacy Keras can also train the framework `keras`.
        if self.load_state().get("legacy_keras"):
            return "tfrs"
        self._check()
        return peek_framework(self.config_file)
