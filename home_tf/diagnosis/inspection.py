"""Expert outputs and gate values of a model on a batch, by name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.backend import IS_TENSORFLOW, ops
from home_tf.errors import HomeError
from home_tf.layers.anatomy import Anatomy, NamedExpert
from home_tf.layers.architecture import Architecture
from home_tf.layers.recording import Record, recording
from home_tf.losses.masked_binary_crossentropy import MaskedBinaryCrossentropy
from home_tf.losses.masked_loss import MaskedLoss
from home_tf.types import KerasLayer, Tensor

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Gate:
    """The weights of a gate.

    Attributes:
        weights: `(rows, n)`.
        experts: The `n` experts that it sees.
        task: The task whose representation it computes, if any.
    """

    weights: Array
    experts: Sequence[NamedExpert]
    task: str | None


@dataclass(frozen=True)
class Inspection:
    """The experts and gates of a model on some rows.

    Attributes:
        experts: `{expert: (rows, D)}`, such as `task/inter/is_like/0`.
        gates: The expert gates by name, such as `task/inter/is_like`.
        self_gates: The self gates, by the names of their expert gates.
        feature_gates: `{gate: (rows, features)}`, each value in (0, 2).
        banks: Groups of sibling experts, which one layer computes.
        reading_features: The feature gates that read the model's features.
        owners: `{expert: owner}`: `"shared"`, `"group"` or `"task"`.
        gradients: `{expert: (rows, D)}`: the gradient of each row's loss, the sum of
            its tasks' losses, with respect to the expert's outputs; empty without
            labels.
    """

    experts: Mapping[str, Array]
    gates: Mapping[str, Gate]
    self_gates: Mapping[str, Gate]
    feature_gates: Mapping[str, Array]
    banks: Sequence[Sequence[str]] = field(default=())
    reading_features: Sequence[str] = field(default=())
    owners: Mapping[str, str] = field(default_factory=dict)
    gradients: Mapping[str, Array] = field(default_factory=dict)


def inspect(
    model: KerasLayer,
    inputs: Any,
    labels: Mapping[str, Any] | None = None,
    losses: Mapping[str, MaskedLoss] | None = None,
) -> Inspection:
    """Inspects a model that contains one of this package's architectures.

    Args:
        model: A Keras or TFRS model, or a layer; it may be loaded from a file.
        inputs: The model's input.
        labels: `{task: (rows,)}`, 0 or 1, NaN or -1 where missing, to get gradients.
            The model must return logits `{task: (rows, 1)}`.
        losses: `{task: loss}` of the tasks whose loss is not the cross-entropy, such
            as `MaskedRegressionLoss` for a regression task.

    Returns:
        Its experts and gates on these rows, in inference.

    Raises:
        HomeError: If the model does not contain exactly one such architecture, or calls
            it more than once; with labels, if the model does not return logits of their
            tasks, or the backend is not TensorFlow.

    Examples:
        >>> found = inspect(model, features)
        >>> found.gates["task/inter/is_like"].weights.mean(axis=0)
    """
    return Inspector(model, losses, compiled=False).read(inputs, labels)


class Inspector:
    """Inspects a model repeatedly, with one compiled function.

    Args:
        model: As in `inspect`.
        losses: As in `inspect`.
        compiled: Whether to compile; only with the TensorFlow backend.

    Raises:
        HomeError: As in `inspect`.
    """

    def __init__(
        self,
        model: KerasLayer,
        losses: Mapping[str, MaskedLoss] | None = None,
        *,
        compiled: bool = True,
    ) -> None:
        self._model = model
        self._losses = dict(losses or {})
        self._anatomy = _find_architecture(model).anatomy()
        self._call = self._values
        if compiled and IS_TENSORFLOW:
            import tensorflow as tf

            self._call = tf.function(
                self._values, reduce_retracing=True, autograph=False
            )

    def read(self, inputs: Any, labels: Mapping[str, Any] | None = None) -> Inspection:
        """Returns the experts and gates of the model on a batch.

        Args:
            inputs: The model's input.
            labels: As in `inspect`.
        """
        if not self._model.built:
            # Keras 3 builds a model by calling it, which would be recorded.
            self._model(inputs, training=False)
        found = {
            kind: {name: np.array(value, np.float32) for name, value in values.items()}
            for kind, values in self._call(inputs, labels).items()
        }
        seen = {
            self_gates: {
                name: (experts, task)
                for part in self._anatomy.gates
                if part.is_self_gate is self_gates
                for name, experts, task in zip(
                    part.names, part.sees, part.tasks, strict=True
                )
            }
            for self_gates in (False, True)
        }
        gates, self_gates = (
            {name: Gate(found[kind][name], *parts) for name, parts in each.items()}
            for kind, each in (("gates", seen[False]), ("self_gates", seen[True]))
        )
        return Inspection(
            experts=found["experts"],
            gates=gates,
            self_gates=self_gates,
            feature_gates=found["feature_gates"],
            banks=[[str(e) for e in bank.experts] for bank in self._anatomy.banks],
            reading_features=[
                name
                for part in self._anatomy.feature_gates
                if part.reads_features
                for name in part.names
            ],
            owners={str(e): e.owner for b in self._anatomy.banks for e in b.experts},
            gradients=found["gradients"],
        )

    def _values(
        self, inputs: Any, labels: Mapping[str, Any] | None
    ) -> dict[str, dict[str, Tensor]]:
        """Reads experts, gates, self gates, feature gates and gradients by name."""
        if labels is None:
            with recording() as records:
                self._model(inputs, training=False)
            return {**_by_name(self._anatomy, records), "gradients": {}}
        if not IS_TENSORFLOW:
            raise HomeError(
                "gradients, which `labels` asks for, need the TensorFlow backend"
            )
        import tensorflow as tf

        # Each bank's outputs are one tensor, which the loss depends on.
        with tf.GradientTape() as tape, recording() as records:
            outputs = self._model(inputs, training=False)
            loss = _sum_of_losses(outputs, labels, self._losses)
        experts = {id(r.layer): r.value for r in records if r.kind == "outputs"}
        found = tape.gradient(loss, experts, unconnected_gradients="zero")
        gradients: dict[str, Tensor] = {}
        for bank in self._anatomy.banks:
            each = ops.unstack(found[id(bank.layer)], axis=1)
            gradients |= zip(map(str, bank.experts), each, strict=True)
        return {**_by_name(self._anatomy, records), "gradients": gradients}


def _find_architecture(model: KerasLayer) -> Architecture:
    layers = [model]
    if hasattr(model, "_flatten_layers"):
        layers = list(model._flatten_layers())
    found = {id(one): one for one in layers if isinstance(one, Architecture)}
    if len(found) == 1:
        return next(iter(found.values()))
    names = sorted(one.name for one in found.values())
    raise HomeError(
        "the model must contain one layer with experts, such as `HoME` or `MMoE` of "
        f"home_tf.layers. Received: a {type(model).__name__} with {names or 'none'}"
    )


def _sum_of_losses(
    logits: Any, labels: Mapping[str, Any], losses: Mapping[str, MaskedLoss]
) -> Tensor:
    """The losses of all rows and tasks."""
    if not isinstance(logits, Mapping) or not set(labels) <= set(logits):
        kind = sorted(logits) if isinstance(logits, Mapping) else type(logits).__name__
        raise HomeError(
            "given `labels`, the model must return logits {task: (rows, 1)} for their "
            f"tasks, which are {sorted(labels)}. Received: {kind}"
        )
    total = []
    for task, values in labels.items():
        loss = losses.get(task) or MaskedBinaryCrossentropy()
        known, predicted, _, valid = loss.split_missing(values, logits[task])
        total.append(ops.sum(valid * loss.of_rows(known, predicted)))
    return sum(total)


def _by_name(
    anatomy: Anatomy, records: Iterable[Record]
) -> dict[str, dict[str, Tensor]]:
    values = _by_layer(records)
    experts: dict[str, Tensor] = {}
    for bank in anatomy.banks:
        outputs = ops.unstack(values[id(bank.layer), "outputs"], axis=1)
        experts |= zip(map(str, bank.experts), outputs, strict=True)
    gates: dict[bool, dict[str, Tensor]] = {False: {}, True: {}}
    for part in anatomy.gates:
        weights = values[id(part.layer), "weights"]
        each = ops.unstack(weights, axis=1) if part.layer.num_gates else [weights]
        gates[part.is_self_gate] |= zip(part.names, each, strict=True)
    feature_gates: dict[str, Tensor] = {}
    for feature_part in anatomy.feature_gates:
        found = values[id(feature_part.layer), "values"]
        found = found if isinstance(found, list) else [found]
        feature_gates |= zip(feature_part.names, found, strict=True)
    return {
        "experts": experts,
        "gates": gates[False],
        "self_gates": gates[True],
        "feature_gates": feature_gates,
    }


def _by_layer(records: Iterable[Record]) -> dict[tuple[int, str], Tensor]:
    values: dict[tuple[int, str], Tensor] = {}
    for record in records:
        key = (id(record.layer), record.kind)
        if key in values:
            raise HomeError(
                f"layer {record.layer.name!r} must be called once in the model. "
                "Received: several calls"
            )
        values[key] = record.value
    return values
