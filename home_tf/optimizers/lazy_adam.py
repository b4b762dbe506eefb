"""Adam that updates only the rows of an embedding table that a batch looks up."""

from typing import Any

import tensorflow as tf

from home_tf.backend import IS_LEGACY, keras
from home_tf.optimizers.adam import Adam


@keras.saving.register_keras_serializable(package="home_tf")
class LazyAdam(Adam):
    """Adam whose step time does not depend on the size of the embedding tables.

    Keras's Adam moves every row of a table in every step, because the moments decay
    even without a gradient. Here, a row that is not looked up stays as it is, including
    its moments. All other variables are updated as in Adam.

    A row that is looked up several times gets the sum of its gradients, once.

    Args:
        learning_rate: As in `keras.optimizers.Adam`, like the next three.
        beta_1: Decay rate of the mean of the gradients.
        beta_2: Decay rate of the mean of their squares.
        epsilon: A small constant that avoids division by 0.
        name: Name of the optimizer.
        **kwargs: Further arguments of `home_tf.optimizers.Adam`. Weight decay, moving
            averages of the weights and gradient accumulation still touch all rows.

    Raises:
        ValueError: If `amsgrad` is set, which has no lazy form here.

    Examples:
        >>> model.compile(optimizer=LazyAdam(1e-3))

    References:
        Adam (arXiv 1412.6980), algorithm 1, row by row.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str = "lazy_adam",
        **kwargs: Any,
    ) -> None:
        if kwargs.get("amsgrad"):
            raise ValueError(
                "`LazyAdam` has no `amsgrad`. Received: amsgrad="
                f"{kwargs['amsgrad']!r}. Leave it out, or use `keras.optimizers.Adam`"
            )
        super().__init__(
            learning_rate=learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            name=name,
            **kwargs,
        )

    def update_step(self, gradient: Any, variable: Any, *learning_rate: Any) -> None:
        """Updates a variable, or only its rows that have a gradient."""
        if isinstance(gradient, tf.IndexedSlices):
            self._update_rows(gradient, variable)
        else:
            super().update_step(gradient, variable, *learning_rate)

    def _update_rows(self, gradient: Any, variable: Any) -> None:
        momentum, velocity = self._moments(variable)
        rows, values = gradient.indices, tf.cast(gradient.values, variable.dtype)
        if not IS_LEGACY:  # legacy Keras has already added up the gradients of a row
            rows, places = tf.unique(rows)
            values = tf.math.unsorted_segment_sum(values, places, tf.size(rows))
        m = tf.gather(momentum, rows)
        m += (1.0 - self.beta_1) * (values - m)
        v = tf.gather(velocity, rows)
        v += (1.0 - self.beta_2) * (values * values - v)
        momentum.scatter_update(tf.IndexedSlices(m, rows))
        velocity.scatter_update(tf.IndexedSlices(v, rows))
        change = tf.cast(self._rate(), variable.dtype) * m / (tf.sqrt(v) + self.epsilon)
        variable.scatter_sub(tf.IndexedSlices(change, rows))
