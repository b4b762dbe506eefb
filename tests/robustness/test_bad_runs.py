"""Runs that are damaged, each with the line by which a command refuses it."""

import json
import shutil

import pytest

from home_tf.config import load_config
from home_tf.diagnosis.diagnose_run import diagnose_run
from home_tf.errors import HomeError
from home_tf.export import export_run
from home_tf.run import Run
from home_tf.training import evaluate_run, train


def write(name, text):
    return lambda run: (run / name).write_text(text)


def state(**values):
    def damage(run):
        file = run / "run.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))

    return damage


def checkpoint(pattern, change):
    """A damage: changes a file of both checkpoints."""

    def damage(run):
        files = list(run.glob(f"checkpoints/*/{pattern}"))
        assert len(files) == 2
        for file in files:
            file.write_bytes(change(file.read_bytes()))

    return damage


def remove(*names):
    def damage(run):
        for name in names:
            path = run / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def remove_files(pattern):
    def damage(run):
        for file in run.glob(pattern):
            file.unlink()

    return damage


UNREADABLE = "the checkpoint cannot be read ("
DAMAGES = {
    "no configuration": (
        remove("config.yaml"),
        "does not contain a run (no config.yaml)",
    ),
    "an empty configuration": (write("config.yaml", ""), "a configuration is a map"),
    "a list for a configuration": (write("config.yaml", "[1]"), "is a mapping"),
    "a configuration that is no YAML": (write("config.yaml", "a: ["), "config.yaml, l"),
    "a configuration with a key too many": (
        lambda run: write("config.yaml", (run / "config.yaml").read_text() + "x: 1\n")(
            run
        ),
        "`x`: unknown key",
    ),
    "a list for a state": (write("run.json", "[]"), "run.json: must be a JSON object"),
    "null for a state": (write("run.json", "null"), "run.json: must be a JSON obj"),
    "half a state": (write("run.json", '{"data": '), "run.json: cannot be read as"),
    "an empty state": (write("run.json", ""), "run.json: cannot be read as JSON"),
    "no state": (remove("run.json"), "does not say which data the run was trained on"),
    "a state without data": (
        write("run.json", "{}"),
        "does not say which data the run was trained on",
    ),
    "a number for the data": (state(data=3), "does not say which data the run was"),
    "data that is gone": (state(data="/nowhere/data"), "there is no such directory"),
    "data of another fingerprint": (
        state(data_sha256="0" * 64),
        "was trained on other data, which was at",
    ),
    "no checkpoints": (remove("checkpoints"), "no checkpoint. Run `home-tf train`"),
    "an empty checkpoint": (
        remove_files("checkpoints/*/*"),
        "no checkpoint. Run `home-tf train`",
    ),
    "half the data of a checkpoint": (
        checkpoint("*.data-*", lambda content: content[: len(content) // 2]),
        UNREADABLE,
    ),
    "no data of a checkpoint": (checkpoint("*.data-*", lambda _: b""), UNREADABLE),
    "other data of a checkpoint": (
        checkpoint("*.data-*", lambda content: bytes(len(content))),
        UNREADABLE,
    ),
    "garbage for an index": (checkpoint("*.index", lambda _: b"garbage"), UNREADABLE),
    "an empty index": (checkpoint("*.index", lambda _: b""), UNREADABLE),
    "half an index": (
        checkpoint("*.index", lambda content: content[: len(content) // 2]),
        UNREADABLE,
    ),
    "no index": (remove_files("checkpoints/*/*.index"), UNREADABLE),
    "no list of checkpoints": (remove_files("checkpoints/*/checkpoint"), UNREADABLE),
    "garbage for the list of checkpoints": (
        checkpoint("checkpoint", lambda _: b"\xff garbage"),
        UNREADABLE,
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("command", ["evaluate", "export", "diagnose"])
def test_a_command_refuses_it_in_one_line(run, tmp_path, damage, command):
    change, line = DAMAGES[damage]
    change(run)
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    refusing = {
        "evaluate": lambda: evaluate_run(Run(run)),
        "export": lambda: export_run(Run(run), tmp_path / "model"),
        "diagnose": lambda: diagnose_run(Run(run)),
    }
    with pytest.raises(HomeError) as error:
        refusing[command]()
    assert line in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("model/[0-9]*"))
    # What is left of the run may be of use yet.
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


def test_curves_that_are_none_are_told_by_their_line(run):
    (run / "experts.jsonl").write_text('{"step": 0, "values": {}}\n[]\n')
    with pytest.raises(HomeError, match=r"experts\.jsonl: line 2 is not a JSON object"):
        diagnose_run(Run(run))


@pytest.mark.parametrize(
    "damage",
    [name for name, (_, line) in DAMAGES.items() if line == UNREADABLE],
)
def test_a_training_does_not_begin_anew_over_it(config_file, prepared, run, damage):
    DAMAGES[damage][0](run)
    history = (run / "history.csv").read_bytes()
    more = load_config(config_file, {"training.epochs": 2})
    with pytest.raises(HomeError) as error:
        train(more, prepared, run)
    assert UNREADABLE in str(error.value)
    assert "\n" not in str(error.value)
    assert (run / "history.csv").read_bytes() == history
