"""What Keras 3 lacks for training on several machines."""

from collections.abc import Callable
from typing import Any


class Keras3Steps:
    """A mixin, before the Keras 3 model class; legacy Keras does not need it.

    Private to the package. In two places Keras 3 averages over the workers where
    `MultiWorkerMirroredStrategy` cannot: a batch, of which it needs only the shapes,
    and the results of a step, which are scalars. Here both are the first replica's.
    """

    _in_step = False

    @property
    def distribute_strategy(self) -> Any:
        """The strategy under which the model was created."""
        strategy = super().distribute_strategy  # type: ignore[misc]
        return _FirstReplica(strategy) if self._in_step else strategy

    def _maybe_symbolic_build(
        self, iterator: Any = None, data_batch: Any = None
    ) -> None:
        strategy = self.distribute_strategy
        if iterator is not None and strategy.num_replicas_in_sync > 1:
            *_, batches = next(iter(iterator))
            iterator, data_batch = None, _of_first_replica(strategy, next(batches))
        super()._maybe_symbolic_build(  # type: ignore[misc]
            iterator=iterator, data_batch=data_batch
        )

    def _make_function(self, step_function: Callable[..., Any]) -> Callable[..., Any]:
        function: Callable[..., Any] = super()._make_function(step_function)  # type: ignore[misc]
        if not _has_several_workers(self.distribute_strategy):
            return function

        def in_step(iterator: Any) -> Any:
            self._in_step = True
            try:
                return function(iterator)
            finally:
                self._in_step = False

        return in_step


class _FirstReplica:
    """A strategy whose `run` returns the result of this process's first replica."""

    def __init__(self, strategy: Any) -> None:
        self._strategy = strategy

    def run(self, function: Callable[..., Any], args: Any) -> Any:
        return _of_first_replica(self._strategy, self._strategy.run(function, args))


def _of_first_replica(strategy: Any, values: Any) -> Any:
    import tensorflow as tf

    return tf.nest.map_structure(
        lambda value: strategy.experimental_local_results(value)[0], values
    )


def _has_several_workers(strategy: Any) -> bool:
    import tensorflow as tf

    several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    return several and strategy.num_replicas_in_sync > len(
        strategy.extended.worker_devices
    )
