"""The options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[Path, typer.Option(help="The YAML configuration.")]
SourceOption = Annotated[
    Path | None,
    typer.Option(help="The folder of the log's files, if not the configuration's."),
]
DataOption = Annotated[Path, typer.Option(help="The dataset directory.")]
RunOption = Annotated[Path, typer.Option(help="The folder of the run.")]
RunDataOption = Annotated[
    Path | None, typer.Option("--data", help="The dataset directory, if it has moved.")
]
