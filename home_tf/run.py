"""A run's folder: where everything that belongs to one training lies."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from home_tf.config import peek_framework
from home_tf.errors import HomeError
from home_tf.files import read_json, write_json

if TYPE_CHECKING:
    from home_tf.config import Config


@dataclass(frozen=True)
class Run:
    """The folder of a run.

    Attributes:
        folder: The folder. In it: `config.yaml`, the configuration with all defaults;
            `run.json`, which data it was trained on, by which revision and Keras;
            `checkpoints/latest` and `checkpoints/best`; `logs/` for TensorBoard;
            `history.csv`, a line an epoch; `metrics.json`, what `evaluate` measured.
    """

    folder: Path

    @property
    def config_file(self) -> Path:
        """The configuration, as trained."""
        return self.folder / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoints"

    @property
    def history_file(self) -> Path:
        """A line of losses and validation metrics for each epoch."""
        return self.folder / "history.csv"

    @property
    def metrics_file(self) -> Path:
        """The metrics of every evaluated split."""
        return self.folder / "metrics.json"

    @property
    def state_file(self) -> Path:
        """What the run was trained on, by which revision and Keras, and how fast."""
        return self.folder / "run.json"

    def load_config(self) -> "Config":
        """The configuration of the run.

        Raises:
            HomeError: If there is no run in the folder.
        """
        # Imports Keras, which one only starts when it is known which.
        from home_tf.config import load_config

        self._check()
        return load_config(self.config_file)

    def peek_framework(self) -> str:
        """`training.framework` of the configuration, without an import of Keras.

        Raises:
            HomeError: If there is no run in the folder.
        """
        self._check()
        return peek_framework(self.config_file)

    def _check(self) -> None:
        if not self.config_file.is_file():
            raise HomeError(
                f"{self.folder}: no run here (no config.yaml). Run `home-tf train` "
                "first, or name another folder"
            )

    def load_state(self) -> dict[str, Any]:
        """What `save_state` wrote; empty before the first epoch."""
        return read_json(self.state_file) if self.state_file.is_file() else {}

    def save_state(self, **state: Any) -> None:
        """Adds to the state of the run."""
        write_json(self.state_file, {**self.load_state(), **state})

    @property
    def legacy_keras(self) -> bool | None:
        """Whether legacy Keras trained the run, None before it is trained."""
        return self.load_state().get("legacy_keras")

    @property
    def data(self) -> Path:
        """The prepared folder that the run was trained on."""
        state = self.load_state()
        if "data" not in state:
            raise HomeError(
                f"{self.state_file}: the run does not name its data. Run `home-tf "
                "train` again"
            )
        return Path(state["data"])
