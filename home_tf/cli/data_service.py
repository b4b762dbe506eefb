"""`home-tf data-service`."""

import os
import socket
import sys
import threading
from typing import Annotated, NoReturn

import typer

from home_tf.cli.console import console, say_if_interrupted
from home_tf.cli.local_processes import LocalProcesses
from home_tf.cli.start_tensorflow import start_tensorflow
from home_tf.data_service import split_address, wait_until_reachable
from home_tf.errors import HomeError

_PORT = 5050
# The machines of a cluster may start in any order.
_JOIN_SECONDS = 60.0


def data_service(
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=64,
            help="Workers on this machine, 1 by default; 0 for the dispatcher only.",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            help="Port of the dispatcher, 5050 by default; with --join, of the worker, "
            "by default any free port.",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="Name or address at which trainers on other machines reach this one. "
            "Default: localhost; with --join, the address the dispatcher sees."
        ),
    ] = None,
    join: Annotated[
        str | None,
        typer.Option(
            help="Start one worker for the dispatcher at this address, such as "
            "grpc://host:5050."
        ),
    ] = None,
) -> None:
    """Start a tf.data service, from which `training.data_service` reads the rows.

    Starts a dispatcher and workers, in processes that end together. There is no
    authentication: anyone who can reach a port can run code on this machine.
    """
    if join is not None:
        if workers is not None:
            raise HomeError(
                f"`--join` starts one worker. Received: --workers {workers}, too. "
                "Leave it out"
            )
        _serve_as_worker(join, port or 0, host)
    elif workers == 0:
        _serve_as_dispatcher(port or _PORT, host or "localhost")
    else:
        _serve_together(workers or 1, port or _PORT, host or "localhost")


def _serve_together(workers: int, port: int, host: str) -> None:
    where = ["--host", host]
    dispatcher = ["data-service", "--workers", "0", "--port", str(port), *where]
    worker = ["data-service", "--join", f"grpc://localhost:{port}", *where]
    with (
        say_if_interrupted("all processes of the data service have ended"),
        LocalProcesses([dispatcher, *[worker] * workers]) as processes,
    ):
        code = processes.wait()
    if code:
        raise typer.Exit(code)


def _serve_as_dispatcher(port: int, host: str) -> None:
    _check_free(port)
    _start_on_cpu()
    from tensorflow.data.experimental import service

    server = service.DispatchServer(service.DispatcherConfig(port=port))
    console.print(
        f"tf.data service: set `training.data_service: grpc://{host}:{port}`; Ctrl-C "
        "ends it",
        soft_wrap=True,
    )
    _wait(server, "the dispatcher")


def _serve_as_worker(dispatcher: str, port: int, host: str | None) -> None:
    target, where = split_address("`--join`", dispatcher)
    own = wait_until_reachable("`--join`", dispatcher, _JOIN_SECONDS)
    if port:
        _check_free(port)
    _start_on_cpu()
    from tensorflow.data.experimental import service

    server = service.WorkerServer(
        service.WorkerConfig(
            dispatcher_address=f"{target}:{where}",
            worker_address=f"{host or own}:%port%",
            port=port,
        )
    )
    console.print(f"a worker of the tf.data service at {dispatcher}", soft_wrap=True)
    _wait(server, "the worker")


def _start_on_cpu() -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # leave its memory to a trainer
    start_tensorflow()


def _check_free(port: int) -> None:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("", port))
        except OSError as error:
            raise HomeError(
                f"`--port`: {port} cannot be used ({error.strerror}). Choose another "
                "port"
            ) from None


def _wait(server: object, name: str) -> NoReturn:
    """Waits for Ctrl-C or SIGTERM, then ends the process with exit code 0.

    Args:
        server: The server, which works meanwhile. Its destructor is not called: it
            would wait for other processes of the service, which may have ended.
        name: The name of the server in the message.
    """
    try:
        threading.Event().wait()
    finally:
        print(f"{name} has ended", file=sys.stderr, flush=True)
        os._exit(0)
