"""Ranks the candidates of a request with TF Serving over REST.

    .venv/bin/python pipelines/serving/rank_rest.py saved_models/demo/1

The request is a warm-up request of the export: a user and videos.
"""

import json
from pathlib import Path
from typing import Annotated
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import typer

from home_tf.cli.run_command import run_command
from home_tf.errors import HomeError
from home_tf.export import example_request


def main(
    export: Annotated[Path, typer.Argument(help="The served export.")],
    server: Annotated[str, typer.Option(help="The address of TF Serving.")] = (
        "http://localhost:8501"
    ),
    by: Annotated[str, typer.Option(help="The task to rank by.")] = "is_click",
    print_request: Annotated[
        bool, typer.Option("--print-request", help="Print the JSON without sending it.")
    ] = False,
) -> None:
    """Send a request of the signature `rank`; print the candidates, best first."""
    inputs = example_request(export, "rank")
    # Columns ("inputs"), because those of the user have one row and the others many.
    body = {
        "signature_name": "rank",
        "inputs": {name: _as_json(values) for name, values in inputs.items()},
    }
    if print_request:
        print(json.dumps(body))
        return
    model = export.absolute().parent.name
    request = Request(
        f"{server}/v1/models/{model}:predict",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urlopen(request, timeout=10.0) as response:
            outputs = json.load(response)["outputs"]
    except HTTPError as error:
        raise HomeError(f"{server}: HTTP {error.code}, {_reason(error)}") from None
    if by not in outputs:
        raise HomeError(f"--by: no output {by!r}, only {', '.join(outputs)}")

    probabilities = np.array(outputs[by])
    for place in probabilities.argsort()[::-1][:10]:
        video = inputs["video_id"][place]
        print(f"video {video:8}  {by} {probabilities[place]:.4f}")


def _reason(error: HTTPError) -> str:
    """The reason of an error, which TF Serving sends as JSON but a proxy may not."""
    text = error.read().decode(errors="replace")
    try:
        reason = json.loads(text)["error"]
    except (KeyError, TypeError, ValueError):
        reason = text or error.reason
    return " ".join(str(reason).split())


def _as_json(values: np.ndarray) -> list:
    if values.dtype == object:  # bytes; if not UTF-8, they are sent as {"b64": ...}
        return np.vectorize(bytes.decode, otypes=[object])(values).tolist()
    return values.tolist()


if __name__ == "__main__":
    run_command(lambda: typer.run(main))
