"""Freezing a function: its weights become constants."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import tensorflow as tf

from home_tf.types import Tensor


def freeze(function: Callable[[Tensor], Tensor], spec: Any) -> Any:
    """Traces a function and evaluates once whatever does not depend on its input.

    TensorFlow itself does this when it loads a graph, but not for variables or large
    constants.

    Args:
        function: From a tensor to a tensor; it must not change a variable.
        spec: The `tf.TensorSpec` of its input.

    Returns:
        A concrete function that computes the same with constants instead of variables.
        It captures only the resources that are not read as a whole.
    """
    traced = tf.function(function, autograph=False).get_concrete_function(spec)
    graph, (output,) = traced.graph, traced.outputs
    x, *placeholders = traced.inputs
    held = {
        placeholder.name: tensor
        for placeholder, tensor in zip(
            placeholders, traced.captured_inputs, strict=True
        )
    }
    known = _find_known(graph.get_operations(), held)
    live = _find_needed(output.op, known)
    read = {t.name: t for one in live for t in one.inputs if t.op in known}
    names = [name for name, tensor in read.items() if tensor.dtype != tf.resource]

    @tf.function(autograph=False)
    def evaluate() -> Any:
        return _import(graph, known, _captured(held), names)

    values = [value.numpy() for value in evaluate()]

    @tf.function(autograph=False)
    def frozen(inputs: Tensor) -> Tensor:
        given = _captured({name: held[name] for name in read if name not in names})
        for name, value in zip(names, values, strict=True):
            given[name] = tf.constant(value, name=read[name].op.name)
        return _import(graph, live, {x.name: inputs, **given}, [output.name])[0]

    return frozen.get_concrete_function(spec)


def _find_known(
    operations: Sequence[tf.Operation], held: Collection[str]
) -> set[tf.Operation]:
    """Finds the operations that do not depend on the input."""
    known: set[tf.Operation] = set()
    for one in operations:  # in topological order
        if one.type == "Placeholder":
            is_known = one.outputs[0].name in held
        else:
            is_pure = one.type == "ReadVariableOp" or not one.op_def.is_stateful
            of_known = all(tensor.op in known for tensor in one.inputs)
            is_known = is_pure and of_known and not one.control_inputs
        if is_known:
            known.add(one)
    return known


def _find_needed(
    last: tf.Operation, known: Collection[tf.Operation]
) -> set[tf.Operation]:
    """Finds the unknown operations that an operation needs, including itself."""
    needed: set[tf.Operation] = set()
    rest = [last]
    while rest:
        one = rest.pop()
        if one not in needed and one not in known:
            needed.add(one)
            rest += [*(tensor.op for tensor in one.inputs), *one.control_inputs]
    return needed


def _captured(tensors: Mapping[str, Any]) -> dict[str, Tensor]:
    """Captures tensors from outside of a function."""
    return {name: tf.identity(tensor) for name, tensor in tensors.items()}


def _import(
    graph: tf.Graph,
    operations: Collection[tf.Operation],
    given: Mapping[str, Tensor],
    outputs: Sequence[str],
) -> list[Tensor]:
    """Copies operations of a graph into the one that is being traced.

    Args:
        graph: Where the operations are.
        operations: The operations.
        given: What they read instead of tensors of the graph, by the tensors' names.
        outputs: Names of tensors.

    Returns:
        The copies of these tensors.
    """
    chosen = {one.name for one in operations if one.type != "Placeholder"}
    part = graph.as_graph_def()
    nodes = [node for node in part.node if node.name in chosen]
    del part.node[:]
    part.node.extend(nodes)
    for node in part.node:
        inputs = [x for x in node.input if x[:1] != "^" or x[1:] in chosen]
        node.input[:] = inputs
    used = {t.name for one in operations for t in one.inputs}
    given = {name: tensor for name, tensor in given.items() if name in used}
    found: list[Tensor] = tf.graph_util.import_graph_def(
        part, input_map=given, return_elements=list(outputs), name="frozen"
    )
    return found
