"""Where the time of a request goes: preprocessing, embeddings, experts, towers."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

# The attributes of operations that name the function they call.
_CALLED = ("f", "cond", "body")
PARTS = ("preprocessing", "embeddings", "experts_and_towers")


def parts_of_request(
    export: str | Path, inputs: Mapping[str, Any], *, rounds: int = 10
) -> dict[str, float]:
    """Counts the operations of `predict`, and measures their time, part by part.

    Args:
        export: The SavedModel.
        inputs: A request of `predict`.
        rounds: Traced calls.

    Returns:
        `operations`, those of the graph as it was exported, its inputs among them, and
        for each part its `operations` and its share of the time that the operations
        take, `time_share`, each by one thread.
    """
    compat = tf.compat.v1
    one_thread = {"intra_op_parallelism_threads": 1, "inter_op_parallelism_threads": 1}
    with compat.Session(
        graph=tf.Graph(), config=compat.ConfigProto(**one_thread)
    ) as session:
        loaded = compat.saved_model.load(session, ["serve"], str(export))
        signature = loaded.signature_def["predict"]
        fed = {signature.inputs[name].name: x for name, x in inputs.items()}
        fetched = [info.name for info in signature.outputs.values()]
        functions = {f.signature.name: f for f in loaded.graph_def.library.function}
        (called,) = (
            str(node.attr["f"].func.name)
            for node in loaded.graph_def.node
            if node.name == fetched[0].split(":")[0]
        )
        times = dict.fromkeys(PARTS, 0)
        for number in range(rounds + 1):
            trace = compat.RunMetadata()
            options = compat.RunOptions(trace_level=compat.RunOptions.FULL_TRACE)
            session.run(fetched, fed, options=options, run_metadata=trace)
            if number:  # the first builds the graph
                for name, nanoseconds in _durations(trace):
                    times[_part_of(name)] += nanoseconds
    operations = dict.fromkeys(PARTS, 0)
    for name in _operations(functions, called):
        operations[_part_of(name)] += 1
    found: dict[str, float] = {"operations": len(inputs) + sum(operations.values())}
    for part in PARTS:
        found[f"{part}.operations"] = operations[part]
        found[f"{part}.time_share"] = times[part] / sum(times.values())
    return found


def _part_of(operation: str) -> str:
    if "frozen" in operation or "sliced" in operation:
        return "experts_and_towers"
    return "embeddings" if "embeddings/" in operation else "preprocessing"


def _durations(trace: Any) -> Iterator[tuple[str, int]]:
    for device in trace.step_stats.dev_stats:
        for one in device.node_stats:
            yield one.node_name, one.op_end_rel_nanos - one.op_start_rel_nanos


def _operations(functions: Mapping[str, Any], name: str) -> Iterator[str]:
    """Lists the operations of a function, with calls expanded."""
    for node in functions[name].node_def:
        called = [node.attr[one].func.name for one in _CALLED if one in node.attr]
        if any(one in functions for one in called):
            for one in called:
                yield from _operations(functions, one)
        else:
            yield f"{name}/{node.name}"
