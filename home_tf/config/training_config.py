"""The section `training`: how the model is trained."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from home_tf.data_service import split_address
from home_tf.errors import HomeError
from home_tf.hints import (
    Bounds,
    NotEmpty,
    NotNegative,
    Positive,
    Size,
    check_fields,
)

_MINUTES = re.compile(r"(\d+(?:\.\d+)?) minutes?", re.ASCII)

Framework = Literal["tfrs", "keras"]
Strategy = Literal["auto", "mirrored", "multi_worker", "parameter_server"]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How the model is trained.

    Attributes:
        framework: `tfrs` (legacy Keras) or `keras` (Keras 3).
        strategy: `auto`, all GPUs of the machine; `mirrored`, the same with
            `MirroredStrategy` even for a single GPU; `multi_worker`, the machines that
            `TF_CONFIG` names. `parameter_server` is refused, because it would give
            wrong results.
        data_service: The address of a tf.data service, such as `grpc://host:5050`,
            whose workers read and preprocess the training rows; `home-tf data-service`
            starts one. The order of the rows then depends on timing. By default none.
        epochs: Maximum number of passes over the training rows.
        patience: Validations without a better score before training stops.
        validate_every: Steps between validations, counted within each epoch. The model
            is also validated at the end of each epoch, by default only then.
        checkpoint_every: Steps, such as `500`, or time, such as `10 minutes`, between
            checkpoints: the most that a kill can lose. A checkpoint is also written at
            the end of each epoch, and when training is interrupted.
        keep_checkpoints: How many of the last checkpoints to keep, in addition to the
            best.
        select_by: `auc` or `gauc`: its mean over the monitored tasks on the validation
            rows selects the best checkpoint.
        monitor_tasks: The tasks that select the best checkpoint; by default all. Leave
            out tasks with few positives: their AUC is noise.
        loss_weighting: How the tasks' losses are combined: `sum`, `uncertainty`,
            `gradnorm` or `pcgrad`. `uncertainty` and `gradnorm` learn the weights, so
            the tasks must not have a `loss_weight`.
        gradnorm_alpha: How strongly `gradnorm` favours tasks that train slowly; by
            default 1.5.
        batch_size: Rows per step, over all replicas. An epoch's last batch is left out
            if it has less than a quarter of this.
        optimizer: `lazy_adam`, which updates only the rows of embedding tables that a
            batch looks up, so that a step does not slow down with the vocabulary; or
            `adam`.
        learning_rate: Learning rate of the optimizer.
        reset_embeddings: Whether each epoch after the first begins with
            re-initialised embedding tables, while the rest of the network keeps its
            weights. It helps if most ids appear in only a few rows, which the tables
            memorise, so that a second epoch over-fits. It needs epochs of at least a
            hundred steps.
        learning_rate_decay: `cosine` to zero over all epochs, or `none`.
        clip_norm: Largest global norm of the gradient, summed over all replicas; by
            default none.
        shuffle_rows: Approximate number of rows that are shuffled together.
        jit_compile: Whether XLA compiles the dense part of the step.
        mixed_precision: `float32`, `mixed_float16` or `mixed_bfloat16`.
        steps_per_execution: Steps per call of the compiled function.
        monitor_experts: Steps between measurements of the experts and gates on a batch
            of validation rows; 0 for none.
        seed: Seed of the weights and the data order.
    """

    framework: Framework = "tfrs"
    strategy: Strategy = "auto"
    data_service: str | None = None
    epochs: Size = 1
    patience: Size = 1
    validate_every: Size | None = None
    checkpoint_every: int | str = "10 minutes"
    keep_checkpoints: Size = 2
    select_by: Literal["auc", "gauc"] = "auc"
    monitor_tasks: Annotated[tuple[str, ...], NotEmpty()] | None = None
    loss_weighting: Literal["sum", "uncertainty", "gradnorm", "pcgrad"] = "sum"
    gradnorm_alpha: NotNegative | None = None
    batch_size: Size = 1024
    optimizer: Literal["lazy_adam", "adam"] = "lazy_adam"
    learning_rate: Positive = 2e-3
    reset_embeddings: bool = False
    learning_rate_decay: Literal["none", "cosine"] = "none"
    clip_norm: Positive | None = None
    shuffle_rows: Annotated[int, Bounds(at_least=0, below=2**31)] = 65536
    jit_compile: bool = False
    mixed_precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    steps_per_execution: Size = 1
    monitor_experts: Annotated[int, Bounds(at_least=0, below=2**31)] = 200
    seed: Annotated[int, Bounds(at_least=0, below=2**32)] = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.data_service is not None:
            split_address("`data_service`", self.data_service)
        if self.gradnorm_alpha is not None and self.loss_weighting != "gradnorm":
            raise HomeError("`gradnorm_alpha` requires `loss_weighting: gradnorm`")
        if self.checkpoint_steps is None and self.checkpoint_minutes is None:
            raise HomeError(
                "`checkpoint_every` must be a number of steps, such as 500, or a time, "
                f"such as '10 minutes'. Received: {self.checkpoint_every!r}"
            )

    @property
    def checkpoint_steps(self) -> int | None:
        """Steps between checkpoints; None if they are a matter of time."""
        every = self.checkpoint_every
        steps = isinstance(every, int) and not isinstance(every, bool) and every > 0
        return int(every) if steps else None

    @property
    def checkpoint_minutes(self) -> float | None:
        """Minutes between checkpoints; None if they are a matter of steps."""
        found = _MINUTES.fullmatch(str(self.checkpoint_every))
        return float(found[1]) if found and float(found[1]) > 0 else None
