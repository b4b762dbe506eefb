"""Ranks the candidates of a request with TF Serving over gRPC.

    .venv/bin/python pipelines/serving/rank_grpc.py saved_models/demo/1

The request is a warm-up request of the export: a user and videos.
"""

from pathlib import Path
from typing import Annotated

import grpc
import tensorflow as tf
import typer
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from home_tf.cli.run_command import run_command
from home_tf.errors import HomeError
from home_tf.export import example_request


def main(
    export: Annotated[Path, typer.Argument(help="The served export.")],
    server: Annotated[str, typer.Option(help="The address of TF Serving.")] = (
        "localhost:8500"
    ),
    by: Annotated[str, typer.Option(help="The task to rank by.")] = "is_click",
) -> None:
    """Send a request of the signature `rank`; print the candidates, best first."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = export.absolute().parent.name
    request.model_spec.signature_name = "rank"
    for name, values in example_request(export, "rank").items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))

    with grpc.insecure_channel(server) as channel:
        service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        try:
            response = service.Predict(request, timeout=10.0)
        except grpc.RpcError as error:
            reason = " ".join(error.details().split())
            raise HomeError(f"{server}: {error.code().name}, {reason}") from None
    if by not in response.outputs:
        raise HomeError(f"--by: no output {by!r}, only {', '.join(response.outputs)}")

    videos = tf.make_ndarray(request.inputs["video_id"])
    probabilities = tf.make_ndarray(response.outputs[by])
    for place in probabilities.argsort()[::-1][:10]:
        print(f"video {videos[place]:8}  {by} {probabilities[place]:.4f}")


if __name__ == "__main__":
    run_command(lambda: typer.run(main))
