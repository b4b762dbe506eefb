"""From preprocessed features to the tasks' logits."""

from collections.abc import Mapping
from typing import Any

from home_tf.backend import IS_LEGACY, keras
from home_tf.layers.layer import Layer
from home_tf.models.saved_parts import deserialize_parts, serialize_parts

_PARTS = ("features", "representations", "towers")


@keras.saving.register_keras_serializable(package="home_tf")
class RankingNetwork(Layer):
    """Feature embedding, task representations and task towers in sequence.

    Args:
        features: Layer from a dict of features to `(batch, width)`: `FeatureEmbedding`.
        representations: Layer from `(batch, width)` to `{task: (batch, D)}`: `HoME`, or
            any other with the same interface.
        towers: Layer from representations to logits `{task: (batch, 1)}`: `TaskTowers`.
        dropout: Rate of the dropout on the concatenated features.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        - `inputs`: What `features` takes.
        - `training`: Whether this is a training call.
        - `return_features`: Whether to return the pair of the logits and the
          concatenated features `(batch, width)`, which all tasks share.

    Input shape:
        What `features` takes.

    Output shape:
        Dict `{task: (batch, 1)}`: logits.
    """

    def __init__(
        self,
        features: Any,
        representations: Any,
        towers: Any,
        *,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.features = features
        self.representations = representations
        self.towers = towers
        # By default, the random numbers of legacy Keras have no state that can be
        # saved.
        rng = {"rng_type": "stateful"} if IS_LEGACY and dropout else {}
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, **rng)

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights of all parts."""
        shape = (None, self.features.width)
        _build(self.features, input_shape)
        _build(self.dropout, shape)
        _build(self.representations, shape)
        _build(self.towers, self.representations.compute_output_shape(shape))
        self.built = True

    def call(
        self,
        inputs: Mapping[str, Any],
        training: bool | None = None,
        return_features: bool = False,
    ) -> Any:
        """`{feature: ids or numbers}` to logits `{task: (batch, 1)}`."""
        v = self.embed(inputs, training)
        logits = self.logits_of(v, training)
        return (logits, v) if return_features else logits

    def embed(self, inputs: Mapping[str, Any], training: bool | None = None) -> Any:
        """The first half: `{feature: ids or numbers}` to `v`, `(batch, width)`."""
        v = self.features(inputs, training=training)
        return self.dropout(v, training=training)

    def logits_of(self, v: Any, training: bool | None = None) -> dict[str, Any]:
        """The second half: `v`, `(batch, width)`, to logits `{task: (batch, 1)}`."""
        logits: dict[str, Any] = self.towers(self.representations(v, training=training))
        return logits

    @property
    def dense_parts(self) -> list[Any]:
        """The layers that `logits_of` calls, in order."""
        return [self.representations, self.towers]

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        parts = serialize_parts(self, *_PARTS)
        return {**super().get_config(), **parts, "dropout": self.dropout.rate}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RankingNetwork":
        """Rebuilds the layer from `get_config()`."""
        return cls(**deserialize_parts(config, *_PARTS))


def _build(part: Any, shape: Any) -> None:
    # A part from a saved model is already built.
    if not part.built:
        part.build(shape)
