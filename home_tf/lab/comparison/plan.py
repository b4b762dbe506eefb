"""The plan of a comparison, which is stored next to its results."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from home_tf.config import (
    Config,
    differing_keys,
    dump_config,
    load_config,
    override_config,
)
from home_tf.errors import HomeError
from home_tf.files import atomic_directory, check_vacant, read_json, write_json
from home_tf.lab.comparison.budget import Budget
from home_tf.lab.comparison.changes import Changes
from home_tf.lab.comparison.compared_model import LIGHTGBM, ComparedModel
from home_tf.lab.comparison.fold import Fold, folds_of


@dataclass(frozen=True)
class Plan:
    """The settings of a comparison; all trainings in a folder share them.

    Attributes:
        config: The configuration that the models are derived from.
        source: The folder of the log files.
        splits: The section `data.split` of each fold, earliest first.
        trials: Trials of the search for hyper-parameters, for each model.
        tuning_seeds: Trainings of a trial, whose scores are averaged.
        budget: What the networks have in common: `paper` (the configured widths),
            `same-params` or `same-flops`.
        metric: `auc` or `gauc`; its validation mean picks epochs and trials.
        replicates: Draws of the bootstrap.
        changes: The changes to the configuration that models may have.
    """

    config: Config
    source: str
    splits: tuple[Mapping[str, Any], ...]
    trials: int
    tuning_seeds: int
    budget: Budget
    metric: str
    replicates: int
    changes: Changes = field(default_factory=dict)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics in the tables: AUC, and GAUC if the rows have groups."""
        return ("auc",) if self.group_by is None else ("auc", "gauc")

    @property
    def main_metric(self) -> str:
        """The metric that selects the best baseline: GAUC if available."""
        return self.metrics[-1]

    @property
    def group_by(self) -> str | None:
        """The column whose values the bootstrap draws; None if it draws rows."""
        return self.config.evaluation.group_by

    def is_in(self, out: Path) -> bool:
        """Whether a folder holds this comparison; False if it is new or empty.

        It may hold other changes: `add_to` adds missing ones.

        Raises:
            HomeError: If the folder holds a comparison with other settings, or
                something else.
        """
        if (out / "plan.json").is_file():
            self._check_same(Plan.load(out), out)
            return True
        check_vacant(out, "a comparison")
        return False

    def add_to(self, out: Path) -> "Plan":
        """Adds this plan's changes to those of the comparison in a folder.

        Returns:
            The plan with all changes, including those of earlier calls.
        """
        found = Plan.load(out)
        whole = replace(self, changes={**found.changes, **self.changes})
        if whole.changes != found.changes:
            write_json(out / "plan.json", whole._settings())
        return whole

    @contextmanager
    def create(self, out: Path) -> Iterator[Path]:
        """Writes the plan, and yields a folder to fill, which then becomes `out`."""
        with atomic_directory(out) as aside:
            (aside / "models").mkdir()
            dump_config(self.config, aside / "config.yaml")
            write_json(aside / "plan.json", self._settings())
            yield aside

    def _settings(self) -> dict[str, Any]:
        settings = asdict(self)
        del settings["config"]
        return {**settings, "splits": list(settings["splits"])}

    def _check_same(self, found: "Plan", out: Path) -> None:
        mine, theirs = self._settings(), found._settings()
        different = [k for k in mine if k != "changes" and mine[k] != theirs[k]]
        different += [
            f"the change {name!r}"
            for name in self.changes
            if found.changes.get(name, self.changes[name]) != self.changes[name]
        ]
        different += differing_keys(found.config, self.config)
        if different:
            raise HomeError(
                f"{out}: contains a different comparison; it differs in "
                f"{', '.join(different)}. Choose another folder, or remove this one"
            )

    @classmethod
    def load(cls, out: Path) -> "Plan":
        """Reads the plan of a comparison.

        Raises:
            HomeError: If there is none, or another version of the package made it.
        """
        if not (out / "plan.json").is_file():
            raise HomeError(f"{out}: does not contain a comparison (no plan.json)")
        settings = read_json(out / "plan.json")
        known = {field.name for field in fields(cls)} - {"config"}
        if settings.keys() != known:
            different = ", ".join(sorted(settings.keys() ^ known))
            raise HomeError(
                f"{out}: contains a comparison of another version of home_tf; its plan "
                f"differs in {different}. Choose another folder"
            )
        splits = tuple(settings.pop("splits"))
        return cls(config=load_config(out / "config.yaml"), splits=splits, **settings)

    def config_of(self, model: ComparedModel) -> Config:
        """The configuration of a model; of a network, trained with Keras 3.

        Changes are made to the configuration before the model takes from it what
        the architectures have in common.
        """
        config = override_config(self.config, model.overrides(self.changes))
        if model.architecture == LIGHTGBM:
            return config
        return model_config(config, model)

    def make_folds(self, out: Path) -> list[Fold]:
        """The folds, in `out`."""
        return folds_of(self.splits, out / "folds")


def model_config(config: Config, model: ComparedModel) -> Config:
    """The configuration of a network, trained with Keras 3."""
    return override_config(
        config,
        {
            "model.architecture": model.arguments(config),
            "training.framework": "keras",
        },
    )


def choice_file(out: Path, model: ComparedModel) -> Path:
    """The file of the choices for a model: its size and hyper-parameters."""
    return out / "models" / f"{model.folder_name}.json"
