"""A whole configuration."""

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from home_tf.config.check_config import check_config
from home_tf.config.data_config import DataConfig
from home_tf.config.evaluation_config import EvaluationConfig
from home_tf.config.model_config import ModelConfig
from home_tf.config.serving_config import ServingConfig
from home_tf.config.training_config import TrainingConfig
from home_tf.data import Task
from home_tf.features import Feature
from home_tf.hints import NotEmpty, check_fields


@dataclass(frozen=True, kw_only=True)
class Config:
    """A whole configuration.

    It defines what the model reads and predicts, and how it is built, trained,
    evaluated and served.

    Attributes:
        features: `{name: feature}`, in the order of the ranking input.
        tasks: `{name: task}`.
        evaluation: How the model is evaluated.
        model: The network.
        training: How the model is trained.
        serving: Requests and outputs of an export.
        data: Where the rows come from; not needed for a dataset directory that was not
            written by `home-tf prepare`.

    Raises:
        HomeError: If the sections do not fit together.
    """

    features: Annotated[Mapping[str, Feature], NotEmpty()]
    tasks: Annotated[Mapping[str, Task], NotEmpty()]
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    serving: ServingConfig = field(default_factory=ServingConfig)
    data: DataConfig | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        check_config(self)

    def is_of_request(self, feature: str) -> bool:
        """Whether a feature is the same for all candidates of a request."""
        patterns = self.serving.request_features
        return any(fnmatch.fnmatchcase(feature, pattern) for pattern in patterns)

    @property
    def request_columns(self) -> set[str]:
        """The record columns of `serving.request_features`."""
        return {
            feature.column or name
            for name, feature in self.features.items()
            if self.is_of_request(name)
        }

    @property
    def regression_tasks(self) -> list[str]:
        """The regression tasks, whose labels are numbers."""
        return [name for name, task in self.tasks.items() if task.is_regression]

    @property
    def task_groups(self) -> dict[str, list[str]]:
        """`{group: [task, ...]}`, in the order of the tasks."""
        groups: dict[str, list[str]] = {}
        for name, task in self.tasks.items():
            groups.setdefault(task.group, []).append(name)
        return groups
