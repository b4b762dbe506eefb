"""Options that several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from home_tf.cli.start_tensorflow import start_tensorflow
from home_tf.files import AnyPath, RemotePath, as_path

if TYPE_CHECKING:
    OptionPath = AnyPath
else:
    # Typer does not support unions, and does not check what the parser returns.
    OptionPath = RemotePath


def path(text: str) -> AnyPath:
    """Parses an option's value: a path or a URL."""
    found = as_path(text)
    if isinstance(found, RemotePath):
        # TensorFlow reads remote files; it must not log, and Keras is chosen later.
        start_tensorflow()
    return found


def path_option(*names: str, help: str) -> Any:
    """Makes an option whose value is a path or a URL; its type is `OptionPath`."""
    return typer.Option(*names, parser=path, help=help, metavar="<path or URL>")


def local_path(text: str) -> Path:
    """Parses an option's value: a path on this machine, not a URL.

    Raises:
        typer.BadParameter: If it is a URL.
    """
    found = as_path(text)
    if isinstance(found, RemotePath):
        raise typer.BadParameter(f"must be on this machine. Received: {text}")
    return found


def local_option(*names: str, help: str) -> Any:
    """Makes an option whose value is a `Path`."""
    return typer.Option(*names, parser=local_path, help=help, metavar="<path>")


ConfigOption = Annotated[OptionPath, path_option(help="The YAML configuration.")]
SourceOption = Annotated[
    OptionPath | None,
    path_option(help="The folder of the log files, if not the configuration's."),
]
DataOption = Annotated[OptionPath, path_option(help="The dataset directory.")]
RunOption = Annotated[OptionPath, path_option(help="The folder of the run.")]
RunDataOption = Annotated[
    OptionPath | None,
    path_option("--data", help="The dataset directory, if it has moved."),
]
EngineOption = Annotated[
    Literal["duckdb", "spark"], typer.Option(help="The engine that processes the rows.")
]
MasterOption = Annotated[
    str | None, typer.Option(help="The Spark master, such as spark://host:7077.")
]
MemoryOption = Annotated[str, typer.Option(help="Memory limit of DuckDB.")]
