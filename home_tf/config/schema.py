"""The schema of the configuration, section by section.

A configuration names what the model reads (`features`), what it predicts (`tasks`), how
it is built (`model`), trained (`training`) and measured (`evaluation`). Unknown keys
are errors: no field is silently ignored.
"""

import fnmatch
import re
from collections import Counter
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from home_tf.config.architectures import (
    Architecture,
    HoMEConfig,
    Number,
    Positive,
    Whole,
)
from home_tf.data import Task, TaskSpace
from home_tf.features import (
    CategoricalFeature,
    NumericFeature,
    check_references,
)

_STRICT = ConfigDict(extra="forbid")
# The output of an export beside those of the tasks.
SCORE = "score"
_TASK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")


@dataclass(config=_STRICT, kw_only=True, frozen=True)
class CategoricalSection(CategoricalFeature):
    """A `CategoricalFeature` in a file."""

    type: Literal["categorical"]
    min_count: Positive = 1
    oov_buckets: Positive = 1
    buckets: Positive | None = None
    width: Positive | None = None


@dataclass(config=_STRICT, kw_only=True, frozen=True)
class NumericSection(NumericFeature):
    """A `NumericFeature` in a file."""

    type: Literal["numeric"]
    buckets: Positive | None = None
    width: Positive | None = None


FeatureSection = Annotated[
    CategoricalSection | NumericSection, Field(discriminator="type")
]


@dataclass(config=_STRICT, kw_only=True, frozen=True)
class TaskSpaceSection(TaskSpace):
    """A `TaskSpace` in a file."""

    equals: Number


@dataclass(config=_STRICT, kw_only=True, frozen=True)
class TaskSection(Task):
    """A `Task` in a file."""

    loss_weight: Annotated[Number, Field(ge=0.0)] = 1.0
    space: TaskSpaceSection | None = None


@dataclass(config=_STRICT, kw_only=True, frozen=True)
class ModelConfig:
    """The network between the features and the logits.

    Attributes:
        architecture: The layer from the features to the tasks' representations, named
            by its `type`, with its arguments; without a `type` it is `home`.
        tower_units: Widths of the hidden layers of every task's tower.
        initial_rates: Whether towers start at their tasks' rates in the training rows,
            and not near 0.5, from where rare tasks have far to go.
        embedding_l2: Factor of the mean squared norm of a row's embeddings in the loss.
        dropout: Rate of the dropout on the concatenated features, in training.
    """

    architecture: Architecture = Field(default_factory=HoMEConfig)
    tower_units: tuple[Positive, ...] = (32,)
    initial_rates: bool = False
    embedding_l2: Annotated[Number, Field(ge=0.0)] = 0.0
    dropout: Annotated[Number, Field(ge=0.0, lt=1.0)] = 0.0


@dataclass(config=_STRICT, kw_only=True, frozen=True)
class TrainingConfig:
    """How the model is trained.

    Attributes:
        framework: `tfrs` (legacy Keras) or `keras` (Keras 3).
        epochs: Passes over the training rows, at most.
        patience: Epochs without a better validation score before training stops.
        monitor_tasks: Tasks whose mean validation AUC picks the best checkpoint; by
            default all. Leave out tasks with few positives: their AUC is noise.
        loss_weighting: How the tasks' losses become one: `sum`, `uncertainty`,
            `gradnorm` or `pcgrad`. The two in the middle learn the weights, so
            `loss_weight` of the tasks must be left out.
        gradnorm_alpha: Pull of `gradnorm` towards tasks that train slowly, by default
            1.5.
        batch_size: Rows a step, over all replicas.
        optimizer: `adam`, or `lazy_adam`, which updates only the rows of embedding
            tables that a batch looks up: for large vocabularies.
        learning_rate: Of the optimizer.
        learning_rate_decay: `cosine` to zero over all epochs, or `none`.
        clip_norm: Largest global norm of the gradients, or none.
        shuffle_rows: Rows that are shuffled together.
        jit_compile: Whether XLA compiles the step.
        mixed_precision: `float32`, `mixed_float16` or `mixed_bfloat16`.
        steps_per_execution: Steps in one call of the compiled function.
        seed: Of weights and data order.
    """

    framework: Literal["tfrs", "keras"] = "tfrs"
    epochs: Positive = 1
    patience: Positive = 1
    monitor_tasks: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    loss_weighting: Literal["sum", "uncertainty", "gradnorm", "pcgrad"] = "sum"
    gradnorm_alpha: Annotated[Number, Field(ge=0.0)] | None = None
    batch_size: Positive = 1024
    optimizer: Literal["adam", "lazy_adam"] = "adam"
    learning_rate: Annotated[Number, Field(gt=0.0)] = 1e-3
    learning_rate_decay: Literal["none", "cosine"] = "none"
    clip_norm: Annotated[Number, Field(gt=0.0)] | None = None
    shuffle_rows: Annotated[Whole, Field(lt=2**31)] = 65536
    jit_compile: bool = False
    mixed_precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    steps_per_execution: Positive = 1
    seed: Annotated[Whole, Field(lt=2**32)] = 0

    @model_validator(mode="after")
    def _check(self) -> "TrainingConfig":
        if self.gradnorm_alpha is not None and self.loss_weighting != "gradnorm":
            raise ValueError("`gradnorm_alpha` goes with `loss_weighting: gradnorm`")
        return self


@dataclass(config=_STRICT, kw_only=True, frozen=True)
class EvaluationConfig:
    """How the model is measured.

    Attributes:
        group_by: The record column of GAUC's groups, usually the user.
        bootstrap_replicates: Resamplings of the users behind each interval.
    """

    group_by: str
    bootstrap_replicates: Positive = 500


@dataclass(config=_STRICT, kw_only=True, frozen=True)
class ScoreConfig:
    """One number to rank by, of the tasks' probabilities `p`.

    Attributes:
        form: `product`, of `p ** weight`, or `sum`, of `weight * p`.
        weights: `{task: weight}`; tasks that are not named do not count.
    """

    form: Literal["product", "sum"] = "product"
    weights: Annotated[dict[str, Number], Field(min_length=1)]


@dataclass(config=_STRICT, kw_only=True, frozen=True)
class CandidatesConfig:
    """Candidates whose columns an export holds, so that a request only names them.

    Attributes:
        column: The record column that names a candidate, such as `video_id`.
        latest_by: The record column, such as `date`, whose largest value picks the row
            of a candidate that is held.
    """

    column: str
    latest_by: str


@dataclass(config=_STRICT, kw_only=True, frozen=True)
class ServingConfig:
    """What a request for a ranking sends.

    Attributes:
        request_features: Features that are the same for all candidates of a request,
            those of the user and of the context; names or patterns such as `user_*`.
            The signature `rank` takes their columns once. Without any there is none.
        candidates: What the signature `rank_by_id` looks candidates up by; without it
            there is none.
        score: What the output `score` of all signatures is; without it there is none.
    """

    request_features: tuple[str, ...] = ()
    candidates: CandidatesConfig | None = None
    score: ScoreConfig | None = None


@dataclass(config=_STRICT, kw_only=True, frozen=True)
class Config:
    """A whole configuration. See the sections' classes for their fields."""

    features: Annotated[dict[str, FeatureSection], Field(min_length=1)]
    tasks: Annotated[dict[str, TaskSection], Field(min_length=1)]
    evaluation: EvaluationConfig
    model: ModelConfig = Field(default_factory=ModelConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    serving: ServingConfig = Field(default_factory=ServingConfig)

    @model_validator(mode="after")
    def _check(self) -> "Config":
        self._check_names()
        check_references(self.features)
        self._check_request_features()
        self._check_candidates()
        self._check_score()
        labels = Counter(task.label or name for name, task in self.tasks.items())
        outcomes = set(labels)
        for name, feature in self.features.items():
            if (feature.column or name) in outcomes:
                raise ValueError(
                    f"feature `{name}` reads `{feature.column or name}`, which is the "
                    "label of a task: an outcome is never a feature"
                )
        unknown = set(self.training.monitor_tasks or ()) - set(self.tasks)
        if unknown:
            raise ValueError(
                f"`training.monitor_tasks` names unknown tasks {sorted(unknown)}; "
                f"the tasks are {sorted(self.tasks)}"
            )
        return self

    def _check_names(self) -> None:
        for name in self.tasks:
            if not _TASK_NAME.fullmatch(name):
                raise ValueError(
                    "the name of a task should be of letters, digits, `_`, `-`, `.` "
                    "and `/`, and begin with a letter or digit, as TensorFlow's names "
                    f"do. Received: {name!r}"
                )

    def _check_request_features(self) -> None:
        for pattern in self.serving.request_features:
            if not fnmatch.filter(self.features, pattern):
                raise ValueError(
                    f"`serving.request_features` has {pattern!r}, which is no feature"
                )
        of_requests = self.request_columns
        if of_requests and all(map(self._of_request, self.features)):
            raise ValueError(
                "`serving.request_features` has all features: leave those of the "
                "candidates out"
            )
        for name, feature in self.features.items():
            if (feature.column or name) in of_requests and not self._of_request(name):
                raise ValueError(
                    f"feature `{name}` reads `{feature.column or name}` as one of "
                    "`serving.request_features` does: name both there, or neither"
                )

    def _check_candidates(self) -> None:
        candidates = self.serving.candidates
        if candidates is None:
            return
        if not self.serving.request_features:
            raise ValueError(
                "`serving.candidates` goes with `serving.request_features`: name the "
                "features of the user and the context there"
            )
        of_candidates = {
            feature.column or name
            for name, feature in self.features.items()
            if isinstance(feature, CategoricalFeature) and not self._of_request(name)
        }
        if candidates.column not in of_candidates:
            raise ValueError(
                f"`serving.candidates.column` is {candidates.column!r}, which no "
                "categorical feature of the candidates reads; they read "
                f"{sorted(of_candidates)}"
            )

    def _check_score(self) -> None:
        score = self.serving.score
        if score is None:
            return
        unknown = sorted(set(score.weights) - set(self.tasks))
        if unknown:
            raise ValueError(
                f"`serving.score.weights` names unknown tasks {unknown}; the tasks are "
                f"{sorted(self.tasks)}"
            )
        if SCORE in self.tasks:
            raise ValueError(
                f"`serving.score` gives an output `{SCORE}`, and so does the task of "
                "that name: rename the task"
            )

    def _of_request(self, name: str) -> bool:
        patterns = self.serving.request_features
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

    @property
    def request_columns(self) -> set[str]:
        """The record columns of `serving.request_features`."""
        return {
            feature.column or name
            for name, feature in self.features.items()
            if self._of_request(name)
        }

    @property
    def task_groups(self) -> dict[str, list[str]]:
        """`{group: [task, ...]}`, in the order of the tasks."""
        groups: dict[str, list[str]] = {}
        for name, task in self.tasks.items():
            groups.setdefault(task.group, []).append(name)
        return groups
