"""`home-tf bench`."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from home_tf.cli.console import console, report_written
from home_tf.cli.options import ConfigOption, DataOption, local_option
from home_tf.cli.start_tensorflow import split_operations, start_tensorflow
from home_tf.errors import HomeError
from home_tf.extras import require_extra
from home_tf.files import write_json

bench_app = typer.Typer(no_args_is_help=True, help="Run benchmarks.")

QuickOption = Annotated[
    bool, typer.Option("--quick", help="Fewer rounds on less data.")
]
JsonOption = Annotated[
    Path | None, local_option(help="Write the figures to this JSON file.")
]
FrameworkOption = Annotated[
    Literal["tfrs", "keras"] | None,
    typer.Option(
        help="tfrs (legacy Keras) or keras (Keras 3). Default: keras, or tfrs under "
        "TF_USE_LEGACY_KERAS=1."
    ),
]
CheckOption = Annotated[
    Path | None,
    local_option("--check", help="Compare with these expected figures; fail if worse."),
]


@bench_app.command("layer")
def bench_layer(
    quick: QuickOption = False,
    json: JsonOption = None,
    check: CheckOption = None,
    framework: FrameworkOption = None,
    jit_compile: Annotated[
        bool, typer.Option("--jit-compile", help="Compile with XLA.")
    ] = False,
    batch: Annotated[int, typer.Option(min=1, help="Examples per step.")] = 1024,
    tasks: Annotated[int, typer.Option(min=1, help="Number of tasks.")] = 10,
    dtype: Annotated[
        Literal["float32", "mixed_bfloat16", "mixed_float16"],
        typer.Option(
            help="Precision: float32, mixed_bfloat16 or mixed_float16.",
            metavar="NAME",  # the names would be cut off at the edge
        ),
    ] = "float32",
) -> None:
    """Measure HoME against a naive implementation and its own matrix products."""
    _start_bench(framework)
    if jit_compile:
        split_operations()
    sizes = {"batch": batch, "tasks": tasks, "dtype": dtype}
    _bench(lambda: _measure_layer(quick, jit_compile, **sizes), json, check)


@bench_app.command("input")
def bench_input(
    quick: QuickOption = False, json: JsonOption = None, check: CheckOption = None
) -> None:
    """Measure reading and writing records in both layouts."""
    start_tensorflow()
    _bench(lambda: _measure_input(quick), json, check)


@bench_app.command("fit")
def bench_fit(
    quick: QuickOption = False,
    json: JsonOption = None,
    check: CheckOption = None,
    framework: FrameworkOption = None,
) -> None:
    """Measure fit against a bare loop, with its options and with large vocabularies."""
    chosen = _start_bench(framework)
    _bench(lambda: _measure_fit(quick, chosen), json, check)


@bench_app.command("step")
def bench_step(
    config: ConfigOption,
    data: DataOption,
    quick: QuickOption = False,
    json: JsonOption = None,
    check: CheckOption = None,
    framework: FrameworkOption = None,
    jit_compile: Annotated[
        bool, typer.Option("--jit-compile", help="Measure the compiled step, too.")
    ] = False,
    plot: Annotated[
        Path | None, local_option(help="Plot the parts to this PNG file.")
    ] = None,
) -> None:
    """Measure a training step of a configuration, and the share of each part."""
    if plot is not None:
        require_extra("compare", "matplotlib")
    chosen = _start_bench(framework)
    if jit_compile:
        split_operations()
    from home_tf.config import load_config
    from home_tf.lab import bench

    overrides = {"framework": chosen, "jit_compile": jit_compile}
    loaded = load_config(config, {f"training.{k}": v for k, v in overrides.items()})
    rounds = 8 if quick else 30
    found = _bench(lambda: bench.bench_step(loaded, data, rounds=rounds), json, check)
    if plot is not None:
        bench.plot_step(found, plot)
        report_written(plot)


_EXPORT_HELP = "A version of an export, such as saved_models/demo/1."


@bench_app.command("serve")
def bench_serve(
    export: Annotated[Path, local_option(help=_EXPORT_HELP)],
    quick: QuickOption = False,
    json: JsonOption = None,
    check: CheckOption = None,
) -> None:
    """Measure an export's signatures for one user and many candidates."""
    start_tensorflow("keras")
    _bench(lambda: _measure_serve(quick, export), json, check)


@bench_app.command("scaling")
def bench_scaling(
    plot: Annotated[Path, local_option(help="Plot the figures to this PNG file.")],
    json: JsonOption = None,
    framework: FrameworkOption = None,
) -> None:
    """Measure how the layer's step grows with tasks, experts, widths and batch."""
    require_extra("compare", "matplotlib")
    _start_bench(framework)
    from home_tf.lab import bench

    bench.plot_scaling(_bench(bench.bench_scaling, json), plot)
    report_written(plot)


@bench_app.command("all")
def bench_all(
    quick: QuickOption = False,
    json: JsonOption = None,
    check: CheckOption = None,
    framework: FrameworkOption = None,
    export: Annotated[
        Path | None, local_option(help=f"{_EXPORT_HELP} Default: skip serving.")
    ] = None,
) -> None:
    """Measure the layer, the input, the fit, and the serving of an export."""
    chosen = _start_bench(framework)
    _bench(
        lambda: {
            # First, so that a folder without an export fails at once.
            **({} if export is None else _measure_serve(quick, export)),
            **_measure_layer(quick),
            **_measure_input(quick),
            **_measure_fit(quick, chosen),
        },
        json,
        check,
    )


def _start_bench(framework: str | None) -> str:
    """Starts TensorFlow; returns the framework, by default that of the active Keras."""
    start_tensorflow(framework)
    from home_tf.backend import IS_LEGACY

    return "tfrs" if IS_LEGACY else "keras"


def _measure_layer(
    quick: bool, jit_compile: bool = False, **sizes: Any
) -> dict[str, Any]:
    from home_tf.lab import bench

    return bench.bench_layer(
        bench.LayerSizes(**sizes), rounds=8 if quick else 30, jit_compile=jit_compile
    )


def _measure_input(quick: bool) -> dict[str, Any]:
    from home_tf.lab import bench

    if quick:
        return bench.bench_input(rounds=3, prepared_rows=200_000)
    return bench.bench_input(rounds=5)


def _measure_fit(quick: bool, framework: str) -> dict[str, Any]:
    from home_tf.lab import bench

    if quick:
        return bench.bench_fit(
            framework, rounds=3, options=(), optimizers=("lazy_adam",)
        )
    return bench.bench_fit(framework)


def _measure_serve(quick: bool, export: Path) -> dict[str, Any]:
    from home_tf.lab import bench

    return bench.bench_serve(export, rounds=10 if quick else 50)


def _bench(
    measure: Callable[[], dict[str, Any]], json: Path | None, check: Path | None = None
) -> dict[str, Any]:
    """Measures, reports and compares; returns the figures."""
    from home_tf.lab import bench

    # Read first, so that a bad file fails before minutes of measuring.
    expected = {} if check is None else bench.load_expected(check)
    start = time.perf_counter()
    found = {**bench.environment(), **measure()}
    found["seconds"] = round(time.perf_counter() - start)
    _report_bench(found, json, expected)
    return found


def _report_bench(
    found: dict[str, Any], json: Path | None, expected: dict[str, Any]
) -> None:
    from home_tf.lab import bench

    console.print(bench.bench_table(found))
    if json is not None:
        write_json(json, found)
        report_written(json)
    if not expected:
        return
    compared = len(expected.keys() & found.keys())
    worse = bench.regressions(found, expected)
    for line in worse:
        console.print(line, soft_wrap=True)
    if worse or not compared:
        raise HomeError(
            f"--check: {len(worse)} of {compared} figures are worse than expected"
            if compared
            else "--check: expects none of the figures that were measured"
        )
    console.print(f"none of {compared} figures is worse than expected")
