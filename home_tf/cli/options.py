"""The options that several commands have."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from home_tf.cli.start_tensorflow import start_tensorflow
from home_tf.files import AnyPath, RemotePath, as_path

if TYPE_CHECKING:
    OptionPath = AnyPath
else:
    # Typer knows no unions, and what the parser returns it takes as it is.
    OptionPath = RemotePath


def path(text: str) -> AnyPath:
    """The path of an option, which may be a URL."""
    found = as_path(text)
    if isinstance(found, RemotePath):
        # TensorFlow reads it, and is not to chatter; which Keras is said later.
        start_tensorflow()
    return found


def path_option(*names: str, help: str) -> Any:
    """An option whose value is a path or a URL; its type is `OptionPath`."""
    return typer.Option(*names, parser=path, help=help, metavar="<path or URL>")


def local_path(text: str) -> Path:
    """The path of an option that may be no URL.

    Raises:
        typer.BadParameter: If it is one.
    """
    found = as_path(text)
    if isinstance(found, RemotePath):
        raise typer.BadParameter(f"must be on this machine. Received: {text}")
    return found


def local_option(*names: str, help: str) -> Any:
    """An option whose value is a `Path`."""
    return typer.Option(*names, parser=local_path, help=help, metavar="<path>")


ConfigOption = Annotated[OptionPath, path_option(help="The YAML configuration.")]
SourceOption = Annotated[
    OptionPath | None,
    path_option(help="The folder of the log's files, if not the configuration's."),
]
DataOption = Annotated[OptionPath, path_option(help="The dataset directory.")]
RunOption = Annotated[OptionPath, path_option(help="The folder of the run.")]
RunDataOption = Annotated[
    OptionPath | None,
    path_option("--data", help="The dataset directory, if it has moved."),
]
EngineOption = Annotated[
    Literal["duckdb", "spark"], typer.Option(help="Where the rows are computed.")
]
MasterOption = Annotated[
    str | None, typer.Option(help="Spark's cluster, such as spark://host:7077.")
]
MemoryOption = Annotated[str, typer.Option(help="The most memory that DuckDB takes.")]
