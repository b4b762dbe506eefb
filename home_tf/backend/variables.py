"""TensorFlow's view of the variables of either Keras."""

from collections.abc import Mapping
from typing import Any

from home_tf.backend import IS_LEGACY
from home_tf.backend.table_rows import split_tables
from home_tf.types import Weight


def weight_path(weight: Weight) -> str:
    """The path of a weight, such as `home/meta/shared/experts/kernel_0`."""
    path: str = weight.name.split(":")[0] if IS_LEGACY else weight.path
    return path


def tf_variable(weight: Any) -> Any:
    """The TensorFlow variable of a Keras weight; in legacy Keras, the weight itself."""
    return weight if IS_LEGACY else weight.value


def named_weights(layer: Any) -> dict[str, Weight]:
    """Returns a layer's weights by their paths in the layer.

    A path such as `home/experts/kernel_0` has the names of the layers that lead to the
    weight, but not that of `layer`, which depends on what else the process has built.

    Args:
        layer: A built layer or model, of either Keras.

    Returns:
        `{path: weight}`.

    Raises:
        ValueError: If two weights have the same path.
    """
    found: dict[str, Any] = {}
    for weight in layer.weights:
        path = weight_path(weight)
        _, outer, inner = path.partition(f"{layer.name}/")
        path = inner if outer else path
        if path in found:
            raise ValueError(
                f"The weights of `{layer.name}` must have unique paths, because they "
                f"are saved by path. Received: two weights with the path {path!r}. "
                "Give the layers different names"
            )
        found[path] = weight
    return found


def named_variables(layer: Any) -> dict[str, Any]:
    """Returns the TensorFlow variables of a layer's weights, as they are saved.

    Args:
        layer: A built layer or model, of either Keras.

    Returns:
        `{path: variable}` with the paths of `named_weights`; for tables that share a
        variable, `{path of the table: TableRows}`.

    Raises:
        ValueError: As `named_weights` does.
    """
    return {
        name: variable
        for path, weight in named_weights(layer).items()
        for name, variable in split_tables(path, weight, tf_variable(weight))
    }


def named_optimizer_variables(model: Any) -> dict[str, Any]:
    """Returns the TensorFlow variables of a model's Adam, by kind and weight.

    Args:
        model: A compiled ranking model, whose optimizer is built.

    Returns:
        `{name: variable}`, such as `iteration` and, for a weight of the network,
        `momentum/network/home/experts/kernel_0`.
    """
    paths = {
        id(tf_variable(weight)): f"{part}/{path}"
        for part in ("network", "loss_weighting")
        for path, weight in named_weights(getattr(model, part)).items()
    }
    weights = list(model.trainable_variables)
    optimizer = model.optimizer
    adam = getattr(optimizer, "inner_optimizer", optimizer)
    found: dict[str, Any] = {}
    of_weights = set()
    slots = {"momentum": adam._momentums, "velocity": adam._velocities}
    for slot, variables in slots.items():
        for weight, variable in zip(weights, variables, strict=True):
            path = f"{slot}/{paths[id(tf_variable(weight))]}"
            found |= split_tables(path, weight, tf_variable(variable))
            of_weights.add(id(variable))
    found |= {
        variable.name.split(":")[0]: tf_variable(variable)
        for variable in optimizer.variables
        if id(variable) not in of_weights
    }
    if IS_LEGACY and optimizer is not adam:  # whose scale is not one of its variables
        state = optimizer._loss_scale
        found |= {"loss_scale": state.current_loss_scale, "counter": state.counter}
    return found


def named_metric_variables(model: Any) -> dict[str, Any]:
    """Returns the TensorFlow variables of a model's streaming metrics.

    Args:
        model: A compiled model.

    Returns:
        `{path: variable}`, such as `click_auc/positives`.
    """
    return {
        f"{metric.name}/{_last_name(variable)}": tf_variable(variable)
        for metric in model.metrics
        for variable in metric.variables
    }


def _last_name(variable: Any) -> str:
    name: str = weight_path(variable).split("/")[-1]
    return name


def named_random_states(layer: Any) -> dict[str, Any]:
    """Returns the TensorFlow variables of a layer's random generators.

    Args:
        layer: A built layer or model, of either Keras.

    Returns:
        `{number: variable}`, in the order of the layers, because their names can differ
        between processes.
    """
    states = _legacy_states(layer) if IS_LEGACY else _seed_states(layer)
    return {str(number): tf_variable(state) for number, state in enumerate(states)}


def _legacy_states(layer: Any) -> list[Any]:
    random = (getattr(one, "_random_generator", None) for one in layer.submodules)
    generators = (getattr(one, "_generator", None) for one in random)
    return [one.state for one in generators if one is not None]


def _seed_states(layer: Any) -> list[Any]:
    weights = set(map(id, layer.weights))
    return [one for one in layer.variables if id(one) not in weights]


def find_not_finite(variables: Mapping[str, Any]) -> list[str]:
    """Finds the names of the floating-point variables with NaN or infinity."""
    import tensorflow as tf

    return [
        name
        for name, variable in variables.items()
        if variable.dtype.is_floating
        and not bool(tf.reduce_all(tf.math.is_finite(variable)))
    ]


def add_at(variable: Any, indices: Any, values: Any) -> None:
    """Adds values to a few elements of a variable, in place; TensorFlow only.

    In a replica of a `tf.distribute` strategy it changes the replica's own part of a
    sum over the replicas, such as a metric's state is.

    Args:
        variable: Keras variable of `n` dimensions.
        indices: Where to add, `(elements, n)`; elements may be repeated.
        values: The values to add, `(elements,)`.
    """
    import tensorflow as tf

    variable = tf_variable(variable)
    # Distributed variables have no `scatter_nd_add`, only a handle in each replica.
    tf.raw_ops.ResourceScatterNdAdd(
        ref=variable.handle, indices=indices, updates=values
    )
