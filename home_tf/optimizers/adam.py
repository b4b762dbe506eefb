"""Keras's Adam with one operation per variable and true global clipping."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from home_tf.backend import IS_LEGACY, keras
from home_tf.optimizers.clipping import ClipsByGlobalNorm


@keras.saving.register_keras_serializable(package="home_tf")
class Adam(ClipsByGlobalNorm, keras.optimizers.Adam):
    """`keras.optimizers.Adam`, but faster and with true clipping by the global norm.

    `global_clipnorm` bounds the norm of the gradient summed over all replicas, with the
    rows of an id that a batch looks up several times added up. A variable is updated by
    one TensorFlow operation instead of about twenty. The arguments are those of Keras.

    Examples:
        >>> model.compile(optimizer=Adam(1e-3, global_clipnorm=1.0))

    References:
        Adam (arXiv 1412.6980), algorithm 1.
    """

    _step_rate: Any = None

    def __init__(self, learning_rate: Any = 0.001, **kwargs: Any) -> None:
        if IS_LEGACY:
            # It would compile the update of each variable separately on a GPU.
            kwargs.setdefault("jit_compile", False)
        super().__init__(learning_rate=learning_rate, **kwargs)

    def apply(self, *args: Any, **kwargs: Any) -> Any:
        """Applies gradients: the start of a step in Keras 3."""
        with self._same_rate():
            return super().apply(*args, **kwargs)

    def _internal_apply_gradients(self, *args: Any, **kwargs: Any) -> Any:
        # Where legacy Keras keeps the learning rate of the step.
        with self._same_rate():
            return super()._internal_apply_gradients(*args, **kwargs)

    @contextmanager
    def _same_rate(self) -> Iterator[None]:
        """Computes the learning rate of a step once, not for each variable."""
        self._step_rate = self._corrected_rate()
        try:
            yield
        finally:
            self._step_rate = None

    def _rate(self) -> Any:
        return self._corrected_rate() if self._step_rate is None else self._step_rate

    def _corrected_rate(self) -> Any:
        """The learning rate with the bias correction of both moments, in float32."""
        step = tf.cast(self.iterations + 1, tf.float32)
        rate = tf.cast(self.learning_rate, tf.float32)
        return rate * tf.sqrt(1.0 - self.beta_2**step) / (1.0 - self.beta_1**step)

    def update_step(self, gradient: Any, variable: Any, *learning_rate: Any) -> None:
        """Updates a variable."""
        # Keras would square the rows of an id before adding them up.
        gradient = tf.convert_to_tensor(gradient)
        if self.amsgrad:
            super().update_step(gradient, variable, *learning_rate)
            return
        momentum, velocity = self._moments(variable)
        dtype = variable.dtype
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=momentum.handle,
            v=velocity.handle,
            # The rate already includes the correction by these powers.
            beta1_power=tf.zeros((), dtype),
            beta2_power=tf.zeros((), dtype),
            lr=tf.cast(self._rate(), dtype),
            beta1=tf.constant(self.beta_1, dtype),
            beta2=tf.constant(self.beta_2, dtype),
            epsilon=tf.constant(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )

    def reset_moments(self, variable: Any) -> None:
        """Sets both moments of a variable to zero, as before its first update.

        Args:
            variable: A variable that the optimizer was built for.
        """
        for moment in self._moments(variable):
            moment.assign(tf.zeros_like(moment))

    def _moments(self, variable: Any) -> tuple[Any, Any]:
        """The TensorFlow variables of a variable's two moments."""
        if IS_LEGACY:
            index = self._index_dict[self._var_key(variable)]
            return self._momentums[index], self._velocities[index]
        index = self._get_variable_index(variable)
        return self._momentums[index].value, self._velocities[index].value
