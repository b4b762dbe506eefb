"""The command line, `home-tf`: what `home-tf --help` lists."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
)

from home_tf.errors import HomeError
from home_tf.extras import check_dependencies

# TensorFlow and Keras are imported inside the commands: the framework that a
# configuration asks for decides which Keras, and that must be said before the import.

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train, measure and export HoME, a multi-task ranking model.",
)
prepare_app = typer.Typer(no_args_is_help=True, help="Turn logs into TFRecords.")
generate_app = typer.Typer(no_args_is_help=True, help="Make logs to try things on.")
app.add_typer(prepare_app, name="prepare")
app.add_typer(generate_app, name="generate")
bench_app = typer.Typer(no_args_is_help=True, help="Measure speed, as ratios.")
app.add_typer(bench_app, name="bench")
console = Console(highlight=False)

ConfigOption = Annotated[Path, typer.Option(help="The YAML configuration.")]
DataOption = Annotated[Path, typer.Option(help="The prepared folder.")]
RunOption = Annotated[Path, typer.Option(help="The folder of the run.")]
RunDataOption = Annotated[
    Path | None, typer.Option("--data", help="The prepared folder, if it has moved.")
]


@generate_app.command("kuairand")
def generate_kuairand(
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    users: Annotated[int, typer.Option(help="Number of users.")] = 4000,
    videos: Annotated[int, typer.Option(help="Number of videos.")] = 2000,
    days: Annotated[int, typer.Option(help="Number of days.")] = 12,
    rows: Annotated[int, typer.Option(help="Number of exposures.")] = 120_000,
    group_correlation: Annotated[
        float, typer.Option(help="Of the tastes of the two task groups, -1 to 1.")
    ] = 0.6,
    density_gap: Annotated[
        float,
        typer.Option(help="How many times rarer than KuaiRand's interactions are."),
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the generator.")] = 0,
) -> None:
    """Generate logs in the layout of KuaiRand."""
    start_tensorflow()
    from home_tf.lab.synthetic import generate

    generate(
        out,
        users=users,
        videos=videos,
        days=days,
        rows=rows,
        group_correlation=group_correlation,
        density_gap=density_gap,
        seed=seed,
    )
    _report_written(out)


@prepare_app.command("kuairand")
def prepare_kuairand(
    source: Annotated[Path, typer.Option(help="The folder of the download.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    layout: Annotated[
        Literal["packed", "rows"], typer.Option(help="Blocks (fast) or single rows.")
    ] = "packed",
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress the records.")] = False,
    shards: Annotated[int, typer.Option(help="Number of files of each split.")] = 8,
    validation_date: Annotated[
        int | None,
        typer.Option(help="Validation day, such as 20220505; else the last but one."),
    ] = None,
    test_date: Annotated[
        int | None, typer.Option(help="Test day; else the last.")
    ] = None,
    first_date: Annotated[
        int | None,
        typer.Option(help="First training day; earlier days are history only."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the rows' order.")] = 0,
) -> None:
    """Turn a KuaiRand download (Pure, 1K or 27K) into TFRecords."""
    start_tensorflow()
    from home_tf.prepare import prepare

    with _progress_bars() as progress:
        schema = prepare(
            source,
            out,
            layout=layout,
            compression="GZIP" if gzip else None,
            shards=shards,
            validation_date=validation_date,
            test_date=test_date,
            first_date=first_date,
            seed=seed,
            progress=progress,
            on_warning=lambda line: console.print(f"warning: {line}", soft_wrap=True),
        )
    rows = "  ".join(f"{name} {split.rows:,}" for name, split in schema.splits.items())
    console.print(f"rows: {rows}")
    _report_written(out)


def _report_written(path: Path) -> None:
    # A path is for copying: it is not broken into lines.
    console.print(f"wrote {path}", soft_wrap=True)


@contextmanager
def _progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Lends a function that shows how much of a stage is done, of how much."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        shown: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in shown:
                shown[stage] = bars.add_task(stage, total=total)
            bars.update(shown[stage], completed=done, total=total)

        yield show


@app.command()
def train(
    config: ConfigOption,
    data: DataOption,
    out: Annotated[Path, typer.Option(help="The folder of the run.")],
    framework: Annotated[
        Literal["tfrs", "keras"] | None,
        typer.Option(help="Legacy Keras (tfrs) or Keras 3, instead of the file's."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the rows, instead of the file's.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of weights and order, instead of the file's.")
    ] = None,
) -> None:
    """Train a model, or go on with an interrupted training."""
    from home_tf.config import load_config

    given = {"framework": framework, "epochs": epochs, "seed": seed}
    overrides = {f"training.{k}": v for k, v in given.items() if v is not None}
    loaded = load_config(config, overrides)
    start_tensorflow(loaded.training.framework)
    from home_tf.training import train as train_run

    run = train_run(loaded, data, out, console=console)
    _report_written(run.folder)


@app.command()
def evaluate(
    run: RunOption,
    data: RunDataOption = None,
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="Such as test; repeat for several. Else validation and test."
        ),
    ] = None,
) -> None:
    """Measure the best checkpoint of a run."""
    found = _open_run(run)
    from home_tf.evaluation.table import metrics_table
    from home_tf.training import evaluate_run

    splits = split or ["validation", "test"]
    metrics = evaluate_run(found, data=data, splits=splits)
    for name in splits:
        console.print(metrics_table(metrics[name], title=name))
    _report_written(found.metrics_file)


@app.command()
def export(
    out: Annotated[
        Path, typer.Option(help="The model's folder, with all its versions.")
    ],
    run: Annotated[
        Path | None, typer.Option(help="The folder of the run; not with --rollback.")
    ] = None,
    data: RunDataOption = None,
    keep: Annotated[int, typer.Option(help="How many versions to keep.")] = 5,
    tables: Annotated[
        Literal["float32", "float16", "int8"],
        typer.Option(help="How embedding tables are stored."),
    ] = "float32",
    max_auc_loss: Annotated[
        float | None,
        typer.Option(
            help="Largest AUC that a task may lose by smaller tables; else 0.001."
        ),
    ] = None,
    score_weights: Annotated[
        str | None,
        typer.Option(
            help="For the combined score, instead of the configuration's.",
            metavar="TASK=WEIGHT,...",
        ),
    ] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Withdraw the current version instead.")
    ] = False,
    context: typer.Context = None,  # type: ignore[assignment]  # not from Python
) -> None:
    """Export a run as a SavedModel for TF Serving, or go back a version."""
    if rollback:
        if context is not None:
            _refuse_other_options(context, "out", "rollback")
        _roll_back(out)
        return
    if run is None:
        raise HomeError("`export` needs --run, to export one, or --rollback")
    weights = None if score_weights is None else _parse_weights(score_weights)
    found = _open_run(run)
    from home_tf.export import export_run

    version = export_run(
        found,
        out,
        data=data,
        keep=keep,
        tables=tables,
        max_auc_loss=max_auc_loss,
        score_weights=weights,
        on_check=_report_check,
        on_auc_changes=_report_auc_changes,
    )
    _report_written(version)


def _refuse_other_options(context: typer.Context, *allowed: str) -> None:
    """Refuses the options of the command line that a rollback would not heed."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if name not in allowed and source is not None and source.name != "DEFAULT":
            raise HomeError(
                f"`--{name.replace('_', '-')}` does not go with `--rollback`, which "
                "takes `--out` alone"
            )


def _parse_weights(text: str) -> dict[str, float]:
    try:
        pairs = [part.split("=") for part in text.split(",")]
        return {task.strip(): float(weight) for task, weight in pairs}
    except ValueError:
        raise HomeError(
            "`--score-weights` should be such as is_click=1,is_like=0.5. Received: "
            f"{text!r}"
        ) from None


def _roll_back(out: Path) -> None:
    start_tensorflow("keras")
    from home_tf.export import Versions

    withdrawn, current = Versions(out).roll_back()
    console.print(
        f"{out}: version {withdrawn} is withdrawn, {current} is current again",
        soft_wrap=True,
    )


_USUAL = {"seeds": 5, "folds": 3, "trials": 8}
_QUICK = {"seeds": 1, "folds": 1, "trials": 0}


@app.command()
def compare(
    config: ConfigOption,
    out: Annotated[Path, typer.Option(help="The folder of the comparison.")],
    data: Annotated[
        Path | None, typer.Option(help="The folder of the logs; --quick makes some.")
    ] = None,
    architectures: Annotated[
        str, typer.Option(help="Names with commas between; home is always there.")
    ] = "plain",
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of seeds: 5; with --quick 1.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=1, help="Number of test days: 3; with --quick 1.")
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            min=0, help="Trials of tuning, for each one: 8; with --quick none."
        ),
    ] = None,
    tuning_seeds: Annotated[
        int, typer.Option(min=1, help="Trainings of each trial, which are averaged.")
    ] = 3,
    budget: Annotated[
        Literal["paper", "same-params", "same-flops"],
        typer.Option(help="What the networks have in common."),
    ] = "same-params",
    select_by: Annotated[
        Literal["auc", "gauc"], typer.Option(help="What picks epochs and trials.")
    ] = "auc",
    jobs: Annotated[int, typer.Option(min=1, help="Processes at a time.")] = 1,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="One seed, one fold, no tuning; makes logs."),
    ] = False,
) -> None:
    """Compare architectures on KuaiRand; finished cells are kept."""
    from home_tf.config import load_config

    loaded = load_config(config, {"training.epochs": 2} if quick else None)
    start_tensorflow("keras")
    check_dependencies("a comparison", "lightgbm", "matplotlib", "optuna")
    from home_tf.lab.comparison import compare as run_comparison
    from home_tf.lab.comparison import contenders

    names = architectures.split(",")
    contenders(names)  # tells an unknown one before logs are generated
    numbers = {"seeds": seeds, "folds": folds, "trials": trials}
    usual = _QUICK if quick else _USUAL
    if data is None:
        data = _quick_logs(out, quick)
    missing = run_comparison(
        loaded,
        data,
        out,
        architectures=names,
        **{k: usual[k] if v is None else v for k, v in numbers.items()},
        tuning_seeds=tuning_seeds,
        budget=budget,
        metric=select_by,
        jobs=jobs,
        say=lambda line: console.print(line, soft_wrap=True, markup=False),
    )
    _report_written(out / "table.md")
    if missing:
        raise HomeError(
            f"{len(missing)} cells have no result (see {out / 'table.md'}). Run the "
            "same command again to try them again"
        )


def _quick_logs(out: Path, quick: bool) -> Path:
    if not quick:
        raise HomeError("`--data` is required, or `--quick`, which generates logs")
    from home_tf.lab.synthetic import generate

    logs = out.with_name(f"{out.name}-logs")
    if not logs.is_dir():
        generate(logs, users=1000, videos=500, days=5, rows=20_000)
    return logs


QuickOption = Annotated[
    bool, typer.Option("--quick", help="Fewer rounds, less to prepare and to fit.")
]
JsonOption = Annotated[Path | None, typer.Option(help="Write the figures here.")]
FrameworkOption = Annotated[
    Literal["tfrs", "keras"] | None,
    typer.Option(
        help="tfrs, on legacy Keras, or keras, on Keras 3; by default that of the "
        "Keras in force, legacy under TF_USE_LEGACY_KERAS=1."
    ),
]
CheckOption = Annotated[
    Path | None,
    typer.Option("--check", help="Compare with expected figures; fail if worse."),
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
    batch: Annotated[int, typer.Option(min=1, help="Examples a step.")] = 1024,
    tasks: Annotated[int, typer.Option(min=1, help="Number of tasks.")] = 10,
    dtype: Annotated[
        Literal["float32", "mixed_bfloat16", "mixed_float16"],
        typer.Option(
            help="float32, mixed_bfloat16 or mixed_float16: what both compute in.",
            metavar="NAME",  # the names would be broken at the edge
        ),
    ] = "float32",
) -> None:
    """Measure HoME against a naive one and against its matrix products."""
    _start_bench(framework)
    sizes = {"batch": batch, "tasks": tasks, "dtype": dtype}
    _bench(lambda: _measure_layer(quick, jit_compile, **sizes), json, check)


@bench_app.command("input")
def bench_input(
    quick: QuickOption = False, json: JsonOption = None, check: CheckOption = None
) -> None:
    """Measure reading and writing records, one layout against the other."""
    start_tensorflow()
    _bench(lambda: _measure_input(quick), json, check)


@bench_app.command("fit")
def bench_fit(
    quick: QuickOption = False,
    json: JsonOption = None,
    check: CheckOption = None,
    framework: FrameworkOption = None,
) -> None:
    """Measure the whole fit: against a bare loop, its options, large vocabularies."""
    chosen = _start_bench(framework)
    _bench(lambda: _measure_fit(quick, chosen), json, check)


_EXPORT_HELP = "A version of an export, such as saved_models/demo/1."


@bench_app.command("serve")
def bench_serve(
    export: Annotated[Path, typer.Option(help=_EXPORT_HELP)],
    quick: QuickOption = False,
    json: JsonOption = None,
    check: CheckOption = None,
) -> None:
    """Measure an export's signatures for one user and many candidates."""
    start_tensorflow("keras")
    _bench(lambda: _measure_serve(quick, export), json, check)


@bench_app.command("scaling")
def bench_scaling(
    plot: Annotated[Path, typer.Option(help="Draw the figures in this PNG file.")],
    json: JsonOption = None,
    framework: FrameworkOption = None,
) -> None:
    """Measure how the layer's step grows with tasks, experts, widths and batch."""
    check_dependencies("the plot", "matplotlib")
    _start_bench(framework)
    from home_tf.lab import bench

    bench.plot_scaling(_bench(bench.bench_scaling, json), plot)
    _report_written(plot)


@bench_app.command("all")
def bench_all(
    quick: QuickOption = False,
    json: JsonOption = None,
    check: CheckOption = None,
    framework: FrameworkOption = None,
    export: Annotated[
        Path | None, typer.Option(help=f"{_EXPORT_HELP} Without it none is measured.")
    ] = None,
) -> None:
    """Measure the layer, the input, the fit, and how an export serves."""
    chosen = _start_bench(framework)
    _bench(
        lambda: {
            # First, for a folder that is no export is told by it.
            **({} if export is None else _measure_serve(quick, export)),
            **_measure_layer(quick),
            **_measure_input(quick),
            **_measure_fit(quick, chosen),
        },
        json,
        check,
    )


def _start_bench(framework: str | None) -> str:
    """Starts TensorFlow; returns the framework, that of the Keras in force if None."""
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

    # Read before minutes of measuring.
    expected = {} if check is None else bench.load_expected(check)
    start = time.perf_counter()
    found = {**bench.environment(), **measure()}
    found["seconds"] = round(time.perf_counter() - start)
    _report_bench(found, json, expected)
    return found


def _report_bench(
    found: dict[str, Any], json: Path | None, expected: dict[str, Any]
) -> None:
    from home_tf.files import write_json
    from home_tf.lab import bench

    console.print(bench.bench_table(found))
    if json is not None:
        write_json(json, found)
        _report_written(json)
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


def _report_auc_changes(changes: dict[str, float | None]) -> None:
    console.print("change of AUC on the validation rows by the quantised tables:")
    width = max(map(len, changes))
    for task, change in changes.items():
        shown = "not measured, one class only" if change is None else f"{change:+.5f}"
        console.print(f"  {task:{width}} {shown}")


def _report_check(difference: float) -> None:
    console.print(
        "checked in a process with only TensorFlow: largest difference "
        f"{difference:.1e}",
        soft_wrap=True,
    )


def _open_run(folder: Path) -> Any:
    from home_tf.run import Run

    run = Run(folder)
    framework = run.load_config().training.framework
    # Legacy Keras can train the framework `keras` too, from Python.
    start_tensorflow("tfrs" if run.legacy_keras else framework)
    return run


def start_tensorflow(framework: str | None = None) -> None:
    """Imports TensorFlow with the Keras that a framework needs, without its chatter.

    Must run before anything else imports TensorFlow or Keras.

    Args:
        framework: `tfrs` or `keras`; None where no Keras is needed.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if framework is not None:
        os.environ["TF_USE_LEGACY_KERAS"] = "1" if framework == "tfrs" else "0"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _standard_error_closed():
        import tensorflow  # noqa: F401
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextmanager
def _standard_error_closed() -> Iterator[None]:
    # TensorFlow's C++ writes to the file descriptor before any log level is in force.
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def run_command(command: Callable[[], Any]) -> NoReturn:
    """Runs a command of the command line and exits.

    A `HomeError`, or an error of the file system, is one line on the standard error and
    exit code 2; an interruption is exit code 130.
    """
    try:
        command()
    except HomeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # such as a full disk, or a folder that is not ours
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)


def main() -> NoReturn:
    """The entry point of `home-tf`."""
    run_command(app)


if __name__ == "__main__":
    main()
