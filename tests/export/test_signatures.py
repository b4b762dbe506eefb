"""The signatures of an export, name by name: clients are written against them."""

import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

# By hand, for the small configuration on logs with histories of 5 videos. "n" is any
# number of rows.
USER = {
    "user_id": "int64 [n]",
    "user_active_degree": "string [n]",
    "user_watched_videos": "int64 [n, 5]",
    "user_liked_videos": "int64 [n, 5]",
    "user_is_click_rate": "float [n]",
}
VIDEO = {
    "video_id": "int64 [n]",
    "author_id": "int64 [n]",
    "tag": "int64 [n, 4]",
    "duration_ms": "float [n]",
    "video_impressions": "float [n]",
}
ONE_USER = {name: spec.replace("[n", "[1") for name, spec in USER.items()}
PROBABILITIES = {
    "long_view": "float [n]",
    "is_click": "float [n]",
    "is_like": "float [n]",
    "score": "float [n]",
}
GOLDEN = {
    "serving_default": ({"examples": "string [n]"}, PROBABILITIES),
    "predict": ({**USER, **VIDEO}, PROBABILITIES),
    "rank": ({**ONE_USER, **VIDEO}, PROBABILITIES),
    "rank_weighted": ({**ONE_USER, **VIDEO, "weights": "float [3]"}, PROBABILITIES),
    "rank_by_id": ({**ONE_USER, "video_id": "int64 [n]"}, PROBABILITIES),
    "classify": (
        {"inputs": "string [n]"},
        {"classes": "string [n, 3]", "scores": "float [n, 3]"},
    ),
    "regress": ({"inputs": "string [n]"}, {"outputs": "float [n]"}),
}


def describe(tensors):
    def one(info):
        dtype = types_pb2.DataType.Name(info.dtype).removeprefix("DT_").lower()
        assert not info.tensor_shape.unknown_rank
        sizes = ("n" if d.size < 0 else str(d.size) for d in info.tensor_shape.dim)
        return f"{dtype} [{', '.join(sizes)}]"

    return {name: one(info) for name, info in tensors.items()}


def test_the_file_of_an_export_has_the_golden_signatures(trained):
    _, version, _, _ = trained
    model = saved_model_pb2.SavedModel()
    model.ParseFromString((version / "saved_model.pb").read_bytes())
    (graph,) = model.meta_graphs
    assert list(graph.meta_info_def.tags) == ["serve"]
    found = {
        name: (describe(signature.inputs), describe(signature.outputs))
        for name, signature in graph.signature_def.items()
        if not name.startswith("__")
    }
    assert found == GOLDEN


def test_the_graph_has_no_operation_that_tf_serving_lacks(trained):
    """No Python function and no operation of a library that TF Serving has not."""
    _, version, _, _ = trained
    model = saved_model_pb2.SavedModel()
    model.ParseFromString((version / "saved_model.pb").read_bytes())
    (graph,) = model.meta_graphs
    functions = graph.graph_def.library.function
    nodes = [node.op for node in graph.graph_def.node]
    nodes += [node.op for function in functions for node in function.node_def]
    assert not {"PyFunc", "EagerPyFunc"} & set(nodes)
    own = {function.signature.name for function in functions}
    assert not [op for op in set(nodes) - own if not hasattr(tf.raw_ops, op)]
    assert not [op for op in nodes if ">" in op]  # namespaces of custom operations
