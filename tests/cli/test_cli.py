"""The command line: the whole way in fresh processes, and what it refuses in this."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import commands_here
from support.processes import run_python
from support.slow import slow_except
from support.small_config import SMALL_CONFIG
from support.tensorflow_log import without_cost_estimates
from typer.main import get_command_name
from typer.testing import CliRunner

from home_tf.__main__ import make_app
from home_tf.backend import IS_LEGACY

pytestmark = pytest.mark.skipif(
    IS_LEGACY, reason="the command line picks its Keras itself: once is enough"
)


app = make_app()
KERAS = ("--framework", "keras")


def home_tf(*arguments):
    """Runs a command in a process of its own."""
    return run_python("-m", "home_tf", *arguments)


@pytest.fixture
def home_tf_here(monkeypatch, capfd):
    """Runs a command in this process, whose Keras is that of the framework `keras`."""
    yield from commands_here(monkeypatch, capfd)


def assert_one_line_error(done, *parts):
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    for part in parts:
        assert part in lines[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "config.yaml").write_text(SMALL_CONFIG)
    return folder


@pytest.fixture(scope="module")
def ran(folder, logs):
    """Runs a command that must go well, in a process of its own, and checks it."""

    def run(*arguments):
        done = home_tf(*arguments)
        assert done.returncode == 0, done.stderr
        assert without_cost_estimates(done.stderr) == ""
        assert max(map(len, done.stdout.splitlines())) <= 100
        assert "wrote " in done.stdout
        return done.stdout

    run("prepare", "--config", folder / "config.yaml", "--source", logs,
        "--out", folder / "records")  # fmt: skip
    return run


@pytest.fixture(scope="module", params=slow_except(["keras"], ["tfrs", "keras"]))
def run(request, folder, ran):
    """A run of each framework."""
    out = folder / request.param
    ran("train", "--config", folder / "config.yaml", "--data", folder / "records",
        "--out", out, "--framework", request.param, "--epochs", 1)  # fmt: skip
    return out


def test_from_records_to_metrics(ran, run):
    table = ran("evaluate", "--run", run, "--split", "test")
    assert "is_click" in table
    assert all(len(line) <= 80 for line in table.splitlines()[:-1])
    metrics = json.loads((run / "metrics.json").read_text())
    assert 0.4 < metrics["test"]["auc"]["is_click"] < 1


@pytest.mark.slow
def test_a_run_goes_on_from_another(ran, run, folder):
    out = run.with_name(f"{run.name}-next")
    ran("train", "--config", folder / "config.yaml", "--data", folder / "records",
        "--out", out, "--framework", run.name, "--epochs", 1,
        "--from", run)  # fmt: skip
    ran("evaluate", "--run", out)
    origin = json.loads((out / "counts" / "start_from.json").read_text())
    assert origin == {"run": str(run.resolve())}


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["tfrs", "keras"])
def test_trials_and_days_by_commands(ran, folder, logs, tmp_path, framework):
    config = ("--config", folder / "config.yaml", "--framework", framework)
    tuned = tmp_path / "tuned"
    said = ran("tune", *config, "--data", folder / "records", "--out", tuned,
               "--trials", 2)  # fmt: skip
    assert re.search(r"^trial 1 +0\.\d{4}  learning_rate ", said, re.MULTILINE)
    ran("train", "--config", tuned / "best.yaml", "--data", folder / "records",
        "--out", tmp_path / "best", "--epochs", 1)  # fmt: skip
    by_day = tmp_path / "by-day"
    said = ran("train", *config, "--progressive", "--source", logs, "--out", by_day,
               "--start-days", 4)  # fmt: skip
    assert re.search(r"^20220429  AUC 0\.\d{4}  GAUC 0\.\d{4}", said, re.MULTILINE)
    assert (by_day / "days.png").is_file()


def test_options_of_training_that_exclude_one_another(home_tf_here, folder, tmp_path):
    train = ("train", "--config", folder / "config.yaml", "--out", tmp_path / "run")
    records = ("--data", folder / "records")
    for options, message in (
        ((), "needs --data, or --progressive"),
        (
            (*records, "--progressive"),
            "`--data` cannot be combined with `--progressive`",
        ),
        (("--progressive", "--epochs", 2), "`--epochs` cannot be combined with"),
        (
            ("--progressive", "--new-statistics"),
            "`--new-statistics` cannot be combined",
        ),
        ((*records, "--start-days", 2), "require `--progressive`"),
        ((*records, "--new-statistics", *KERAS), "requires an earlier run"),
    ):
        assert_one_line_error(home_tf_here(*train, *options), message)
    predict = ("predict", *records, "--out", tmp_path / "out")
    assert_one_line_error(home_tf_here(*predict), "name the model: an `export`")


@pytest.mark.slow
def test_a_first_configuration_runs_as_it_is(home_tf_here, logs, tmp_path):
    files = sorted(logs.glob("*.csv*"))
    config = tmp_path / "config.yaml"
    done = home_tf_here("init", *files, "--out", config)
    assert done.returncode == 0, done.stderr
    assert "is_click (45.00%)" in done.stdout
    assert re.search("^user +user_id *$", done.stdout, re.MULTILINE)
    assert all(len(line) <= 80 for line in done.stdout.splitlines()[:9])
    (line,) = (line for line in done.stdout.splitlines() if " prepare " in line)
    program, *words = line.split()
    assert (program, words[-1]) == ("home-tf", "records")
    done = home_tf_here(*words[:-1], tmp_path / "records")
    assert done.returncode == 0, done.stderr
    assert "rows: train 4,000  validation 1,000  test 1,000" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("run", ["keras"], indirect=True)
def test_what_the_experts_of_a_run_do(home_tf_here, run):
    tables = home_tf_here("diagnose", "--run", run, "--features", "tag")
    assert tables.returncode == 0, tables.stderr
    for text in ("mean share of zeros", "importance", "tag"):
        assert text in tables.stdout
    assert all(len(line) <= 80 for line in tables.stdout.splitlines()[:-1])
    report = (run / "diagnosis" / "report.html").read_text()
    diagnosis = json.loads((run / "diagnosis" / "diagnostics.json").read_text())
    for verdict in diagnosis["verdicts"]:
        assert verdict["kind"].replace("_", " ") in tables.stdout
        assert verdict["sentence"] in report
    other = Path(shutil.copytree(run, run.with_name("other")))
    out = run.with_name("both")
    runs = ("--run", run, "--run", other, "--split", "test")
    both = home_tf_here("diagnose", *runs, "--out", out)
    assert both.returncode == 0, both.stderr
    assert "what to try" not in both.stdout
    runs_in_report = json.loads((out / "diagnostics.json").read_text())["runs"]
    assert list(runs_in_report) == [run.name, "other"]
    assert_one_line_error(
        home_tf_here("diagnose", *runs), "required with several `--run`"
    )
    assert_one_line_error(
        home_tf_here("diagnose", "--run", run, "--out", out), "not allowed with one"
    )
    assert_one_line_error(
        home_tf_here("diagnose", "--run", run, "--run", run, "--out", out),
        "`--run` names the same run twice",
    )


@pytest.mark.parametrize("run", ["keras"], indirect=True)
def test_from_a_run_to_a_saved_model(folder, ran, run):
    options = ("--tables", "float16", "--score-weights", "is_click=1,is_like=2")
    said = ran("export", "--run", run, "--out", folder / "model", *options)
    assert "change of AUC" in said
    assert re.search(r"is_click +[+-]0\.\d{5}$", said, re.MULTILINE)
    assert (folder / "model" / "1" / "saved_model.pb").is_file()
    manifest = folder / "model" / "1" / "assets.extra" / "home_tf.json"
    weights = json.loads(manifest.read_text())["score"]["weights"]
    assert weights == {"is_click": 1, "is_like": 2}
    rows = json.loads((folder / "records" / "schema.json").read_text())
    rows = rows["splits"]["validation"]["rows"]
    for model in (("--run", run), ("--export", folder / "model")):
        out = folder / f"predicted-by{model[0]}"
        said = ran(
            "predict", *model, "--data", folder / "records", "--split", "validation",
            "--columns", "user_id, is_click", "--out", out,
        )  # fmt: skip
        assert f"rows: {rows:,}\n" in said
        assert (out / "part-00000.parquet").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_says_what_is_saved(folder, ran, tmp_path, number):
    """And without a terminal it speaks of every epoch."""
    out = tmp_path / "run"
    command = ["train", "--config", folder / "config.yaml", "--data",
               folder / "records", "--out", out, *KERAS, "--epochs", 500]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "home_tf", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # A job in the background of a shell ignores Ctrl-C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout.readline().startswith("epoch 1/500  loss ")
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + number
    assert re.fullmatch(
        rf"interrupted; {re.escape(str(out))} has the training up to step \d+ of \d+ "
        r"in epoch \d+ of 500\. Run the same command again to resume\n",
        said,
    )


INTERRUPTED = """
import signal
from home_tf.cli.run_command import run_command

def exec_it():
    # Python itself would end by SIGINT: the interruption passes an `exec`.
    exec("signal.raise_signal({number})", globals())

def make_another_error_of_it():
    # As libraries in C++ do.
    try:
        signal.raise_signal({number})
    except BaseException as error:
        raise RuntimeError(type(error).__name__) from None

signal.signal(signal.SIGINT, signal.default_int_handler)
run_command({how})
"""


@pytest.mark.parametrize("how", ["exec_it", "make_another_error_of_it"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_one_line_wherever_it_comes(number, how, tmp_path):
    program = INTERRUPTED.format(number=int(number), how=how)
    (tmp_path / "interrupted.py").write_text(program)
    folders = [str(tmp_path), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    done = subprocess.run(
        [sys.executable, "-m", "interrupted"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))},
    )
    assert done.returncode == 128 + number
    assert done.stderr == "interrupted. Run the same command again\n"


def test_generate_writes_logs(home_tf_here, tmp_path):
    done = home_tf_here(
        "generate", "kuairand", "--out", tmp_path / "logs", "--users", 50,
        "--videos", 30, "--days", 4, "--rows", 300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "logs").glob("log_standard_*"))


def test_missing_and_empty_folders(home_tf_here, folder, tmp_path):
    config = folder / "config.yaml"
    for data, message in (
        (tmp_path / "none", "no such directory"),
        (tmp_path, "is empty"),
    ):
        done = home_tf_here(
            "train", "--config", config, "--data", data, "--out", folder / "x", *KERAS
        )
        assert_one_line_error(done, str(data), message)
    done = home_tf_here(
        "prepare", "--config", config, "--source", tmp_path, "--out", tmp_path / "out"
    )
    assert_one_line_error(done, str(tmp_path), "log_standard")
    assert not (tmp_path / "out").exists()


def test_a_wrong_configuration(home_tf_here, folder, prepared, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(SMALL_CONFIG.replace("width: 4", "widht: 4", 1))
    done = home_tf_here(
        "train", "--config", config, "--data", prepared, "--out", folder / "x", *KERAS
    )
    assert_one_line_error(done, "config.yaml", "`features.user_id.widht`: unknown key")
    missing = tmp_path / "no.yaml"
    done = home_tf_here(
        "train", "--config", missing, "--data", prepared, "--out", folder / "x", *KERAS
    )
    assert_one_line_error(done, "no.yaml: no such configuration file")


def test_a_run_or_a_split_that_is_not_there(home_tf_here, tmp_path):
    assert_one_line_error(
        home_tf_here("evaluate", "--run", tmp_path), "does not contain a run"
    )
    assert_one_line_error(
        home_tf("export", "--run", tmp_path, "--out", tmp_path / "m"),
        "does not contain a run",
    )


def test_a_rollback_goes_back_a_version_and_takes_nothing_else(home_tf_here, tmp_path):
    for number in (3, 4):
        (tmp_path / "model" / str(number)).mkdir(parents=True)
    export = ("export", "--out", tmp_path / "model")
    for option, value in (
        ("--run", tmp_path),
        ("--keep", 5),
        ("--tables", "float32"),
        ("--score-weights", "is_click=1"),
    ):
        done = home_tf_here(*export, "--rollback", option, value)
        assert_one_line_error(done, f"`{option}` cannot be combined with `--rollback`")
    assert_one_line_error(
        home_tf_here(*export), "needs --run RUN to export, or --rollback"
    )
    done = home_tf_here(*export, "--rollback")
    assert done.returncode == 0, done.stderr
    assert "version 4 is withdrawn, 3 is current again" in done.stdout
    assert not (tmp_path / "model" / "4").exists()
    done = home_tf_here(*export, "--rollback")
    assert_one_line_error(done, "no version to roll back to. Versions: 3")


def test_weights_of_the_score_that_are_none(home_tf_here, tmp_path):
    for weights in ("is_click", "is_click=much", "a=1=2", ""):
        done = home_tf_here(
            "export", "--run", tmp_path, "--out", tmp_path, "--score-weights", weights
        )
        assert_one_line_error(done, "`--score-weights`", f"Received: {weights!r}")


def test_a_folder_that_cannot_be_written(home_tf_here, folder, prepared, tmp_path):
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "run"
    config = folder / "config.yaml"
    done = home_tf_here(
        "train", "--config", config, "--data", prepared, "--out", out, *KERAS
    )
    assert_one_line_error(done, str(out))
    assert (tmp_path / "file").read_text() == "in the way"


def commands(group=app, path=()):
    """Every command of the command line, as the words that call it."""
    yield path
    info = [*group.registered_commands, *group.registered_groups]
    for one in info:
        name = one.name or get_command_name(one.callback.__name__)
        if hasattr(one, "typer_instance"):
            yield from commands(one.typer_instance, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_every_help_fits_in_80_columns(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    done = CliRunner().invoke(app, [*command, "--help"])
    assert done.exit_code == 0
    assert "Usage" in done.output
    assert all(len(line) <= 80 for line in done.output.splitlines())


def test_wrong_options_are_told_without_a_trace(home_tf_here):
    done = home_tf_here("train", "--epoch", 3)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["seeds", "folds", "tuning-seeds", "jobs"])
def test_a_comparison_takes_no_number_below_one(option):
    done = CliRunner().invoke(app, ["compare", "--quick", f"--{option}", "0"])
    assert done.exit_code == 2
    assert f"Invalid value for '--{option}'" in done.output


def test_an_unknown_architecture_is_told_before_logs_are_generated(
    home_tf_here, folder, tmp_path
):
    config = ["--config", folder / "config.yaml", "--out", tmp_path / "out"]
    done = home_tf_here("compare", "--quick", *config, "--architectures", "mmo")
    assert_one_line_error(done, "'mmo'")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "option", "choices"),
    [
        (("train",), "framework", ("tfrs", "keras")),
        (("prepare",), "layout", ("packed", "rows")),
        (("export",), "tables", ("float32", "float16", "int8")),
        (("compare",), "select-by", ("auc", "gauc")),
    ],
)
def test_an_option_with_choices_takes_no_other(command, option, choices):
    done = CliRunner().invoke(app, [*command, f"--{option}", "jax"])
    assert done.exit_code == 2
    told = " ".join(re.sub(r"[│╭╮╰╯─]", " ", done.output).split())
    assert f"Invalid value for '--{option}':" in told
    assert f"'jax' is not one of {', '.join(map(repr, choices))}" in told
