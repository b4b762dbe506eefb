"""The settings of a search, which are stored in its folder."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from home_tf.config import Config, differing_keys, dump_config, load_config
from home_tf.errors import HomeError
from home_tf.files import atomic_directory, check_vacant, read_json, write_json
from home_tf.tuning.search import Search
from home_tf.tuning.space import Space, make_space

_FILE = "tuning.json"


@dataclass(frozen=True)
class Plan:
    """The settings of a search besides the configuration; all its trials share them.

    Attributes:
        data: The dataset directory.
        data_sha256: Its fingerprint.
        space: The search space, in the form of a file.
    """

    data: str
    data_sha256: str
    space: dict[str, Any]

    def create(self, out: Path, config: Config) -> None:
        """Creates the folder of a search, or checks that it holds the same one.

        Raises:
            HomeError: If the folder holds a search with other settings, or something
                else.
        """
        if (out / _FILE).is_file():
            self._check_same(out, config)
            write_json(out / _FILE, asdict(self))  # the data may have moved
            return
        check_vacant(out, "a search")
        with atomic_directory(out) as aside:
            dump_config(config, aside / "config.yaml")
            write_json(aside / _FILE, asdict(self))

    @classmethod
    def load(cls, out: Path) -> "Plan":
        """Reads the settings of a search."""
        return cls(**read_json(out / _FILE))

    def open_search(self, out: Path) -> Search:
        """Opens the search, with its previous trials."""
        return Search(out / "trials.log", self._make_space(), {})

    def _make_space(self) -> Space:
        return make_space(self.space)

    @staticmethod
    def run_folder(out: Path, number: int) -> Path:
        """The run of a trial."""
        return out / "trials" / f"{number:04}"

    def _check_same(self, out: Path, config: Config) -> None:
        found = Plan.load(out)
        different = differing_keys(load_config(out / "config.yaml"), config)
        if found.data_sha256 != self.data_sha256:
            different.append("the data")
        if found.space != self.space:
            different.append("the space")
        if different:
            raise HomeError(
                f"{out}: contains a different search; it differs in "
                f"{', '.join(different)}. Choose another folder, or remove this one"
            )
