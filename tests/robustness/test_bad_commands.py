"""Command lines that are wrong, each with the line that says so."""

import os

import pytest

from home_tf.backend import IS_LEGACY

pytestmark = pytest.mark.skipif(
    IS_LEGACY, reason="the command line picks its Keras itself: once is enough"
)

TRAIN = ("train", "--config", "{config}", "--data", "{data}", "--out", "{out}")
PREPARE = ("prepare", "--config", "{config}", "--source", "{logs}", "--out", "{out}")
PREPARE_CONFIG = PREPARE[:3]
EXPORT = ("export", "--run", "{run}", "--out", "{out}")
GENERATE = ("generate", "kuairand", "--out", "{out}")
COMPARE = ("compare", "--config", "{config}", "--out", "{out}")

# A command, and what its one line has.
COMMANDS = {
    "no configuration": (
        ("train", "--config", "{none}", "--data", "{data}", "--out", "{out}"),
        "no such configuration file",
    ),
    "a folder for a configuration": (
        ("train", "--config", "{folder}", "--data", "{data}", "--out", "{out}"),
        "cannot be read (Is a directory)",
    ),
    "records for a configuration": (
        ("train", "--config", "{shard}", "--data", "{data}", "--out", "{out}"),
        "must be text in UTF-8",
    ),
    "no data": (
        ("train", "--config", "{config}", "--data", "{none}", "--out", "{out}"),
        "there is no such directory",
    ),
    "a file for data": (
        ("train", "--config", "{config}", "--data", "{config}", "--out", "{out}"),
        "this is not a directory",
    ),
    "an empty folder for data": (
        ("train", "--config", "{config}", "--data", "{folder}", "--out", "{out}"),
        "the directory is empty",
    ),
    "logs for data": (
        ("train", "--config", "{config}", "--data", "{logs}", "--out", "{out}"),
        "there is no schema.json, so it is not a dataset directory",
    ),
    "a run where something else is": (
        ("train", "--config", "{config}", "--data", "{data}", "--out", "{logs}"),
        "is not empty and does not contain a run",
    ),
    "a run where a file is": (
        ("train", "--config", "{config}", "--data", "{data}", "--out", "{config}"),
        "is not empty and does not contain a run",
    ),
    "a run in a file": (
        ("train", "--config", "{config}", "--data", "{data}", "--out", "{config}/x"),
        "cannot be written",
    ),
    "a negative seed": ((*TRAIN, "--seed", -1), "`training.seed`: must be at least 0"),
    "no epochs": ((*TRAIN, "--epochs", 0), "`training.epochs`: must be greater than"),
    "evaluate no run": (("evaluate", "--run", "{none}"), "does not contain a run"),
    "evaluate logs": (
        ("evaluate", "--run", "{logs}"),
        "does not contain a run (no config.yaml)",
    ),
    "evaluate a split that is none": (
        ("evaluate", "--run", "{run}", "--split", "tset"),
        "no split 'tset'. Its splits are: train, validation, test",
    ),
    "evaluate on nothing": (
        ("evaluate", "--run", "{run}", "--data", "{none}"),
        "there is no such directory",
    ),
    "diagnose no run": (("diagnose", "--run", "{none}"), "does not contain a run"),
    "diagnose a split that is none": (
        ("diagnose", "--run", "{run}", "--split", "tset"),
        "no rows in the split 'tset', which a diagnosis needs",
    ),
    "the importance of no feature": (
        ("diagnose", "--run", "{run}", "--features", "usr_*"),
        "`features` has 'usr_*', which matches no column of the features",
    ),
    "export nothing": (("export", "--out", "{out}"), "`export` needs --run RUN to exp"),
    "export no run": (
        ("export", "--run", "{none}", "--out", "{out}"),
        "does not contain a run",
    ),
    "export to a file": (
        ("export", "--run", "{run}", "--out", "{config}"),
        "is a file. Choose a folder for the model's versions",
    ),
    "export to a pattern": (
        ("export", "--run", "{run}", "--out", "{out}/mod[e]l*"),
        "must not have * ? [ ] in its path",
    ),
    "keep no version": ((*EXPORT, "--keep", 0), "`keep` must be at least 1"),
    "a loss of AUC that nothing loses": (
        (*EXPORT, "--max-auc-loss", 0.1),
        "`max_auc_loss` requires `tables` float16 or int8",
    ),
    "a negative loss of AUC": (
        (*EXPORT, "--tables", "int8", "--max-auc-loss", -1),
        "`max_auc_loss` must be at least 0. Received: -1",
    ),
    "weights of a score that are none": (
        (*EXPORT, "--score-weights", "is_click"),
        "`--score-weights` must look like",
    ),
    "weights of an unknown task": (
        (*EXPORT, "--score-weights", "clik=1"),
        "names unknown tasks ['clik']",
    ),
    "a weight that is no number": (
        (*EXPORT, "--score-weights", "is_click=nan"),
        "must be a finite number",
    ),
    "roll back nothing": (
        ("export", "--out", "{none}", "--rollback"),
        "no such folder. Choose a model's folder",
    ),
    "roll back the only version": (
        ("export", "--out", "{folder}", "--rollback"),
        "there is no version to roll back to. Versions: none",
    ),
    "a first configuration of nothing": (
        ("init", "{none}", "--out", "{out}"),
        "`FILES`: no file matches",
    ),
    "a first configuration over another": (
        ("init", "{logs}/*.csv", "--out", "{config}"),
        "exists and may have been edited. Remove it, or choose another file",
    ),
    "prepare nothing": (
        (*PREPARE_CONFIG, "--source", "{none}", "--out", "{out}"),
        "`source` must be a folder",
    ),
    "prepare an empty folder": (
        (*PREPARE_CONFIG, "--source", "{folder}", "--out", "{out}"),
        "`data.log`: no file matches log_standard*.csv* in",
    ),
    "prepare into something else": (
        (*PREPARE_CONFIG, "--source", "{logs}", "--out", "{logs}"),
        "the folder to write must be new, empty, or the output of an earlier call",
    ),
    "prepare into a file": (
        (*PREPARE_CONFIG, "--source", "{logs}", "--out", "{config}"),
        "the folder to write must be new, empty, or the output of an earlier call",
    ),
    "no shards": ((*PREPARE, "--shards", 0), "`shards` must be at least 1"),
    "a negative seed of the order": (
        (*PREPARE, "--seed", -1),
        "`seed` must be at least 0. Received: -1",
    ),
    "memory that is none": (
        (*PREPARE, "--memory", "much"),
        "`memory`: Parser Error: Memory must have a number",
    ),
    "no users": ((*GENERATE, "--users", 0), "`users` must be at least"),
    "no videos": ((*GENERATE, "--videos", 0), "`videos` must be at least"),
    "no days": ((*GENERATE, "--days", 0), "`days` must be at least"),
    "no rows": ((*GENERATE, "--rows", 0), "`rows` must be at least"),
    "a negative seed of the logs": ((*GENERATE, "--seed", -1), "`seed` must be at"),
    "generate into something else": (
        ("generate", "kuairand", "--out", "{data}"),
        "the folder to write must be new, empty, or the output of an earlier call",
    ),
    "compare nothing": (COMPARE, "no file matches log_standard*.csv* in "),
    "compare what is none": (
        (*COMPARE, "--source", "{logs}", "--architectures", "moe"),
        "`architectures` contains an unknown name",
    ),
    "compare on more days than there are": (
        (*COMPARE, "--source", "{logs}", "--folds", 30),
        "has 6 days, enough for 4 folds. Received: `folds` 30",
    ),
    "compare on nothing": (
        (*COMPARE, "--source", "{none}"),
        "`source` must be a folder",
    ),
    "compare where something else is": (
        ("compare", "--config", "{config}", "--source", "{logs}", "--out", "{run}"),
        "is not empty and does not contain a comparison",
    ),
}


@pytest.fixture(scope="module")
def places(config_file, prepared, logs, trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("places")
    return {
        "config": config_file,
        "data": prepared,
        "logs": logs,
        "run": trained.folder,
        "shard": sorted(prepared.glob("*.tfrecord"))[0],
        "none": folder / "none",
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_in_one_line_what_is_wrong(home_tf, places, tmp_path, name):
    words, line = COMMANDS[name]
    (tmp_path / "folder").mkdir()
    here = {**places, "out": tmp_path / "out", "folder": tmp_path / "folder"}
    done = home_tf(*(str(word).format(**here) for word in words))
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("error: ")
    assert line in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "out").exists()


# Of options alone, which Typer tells, in a box.
OPTIONS = [
    ("train", "--epoch", "3"),
    ("train",),
    (*TRAIN, "--epochs", "many"),
    (*TRAIN, "--framework", "jax"),
    (*TRAIN, "--select-by", "loss"),
    ("evaluate",),
    ("export", "--keep", "all"),
    (*EXPORT, "--tables", "int4"),
    ("init",),
    ("prepare",),
    (*PREPARE, "--layout", "columns"),
    (*COMPARE, "--budget", "none"),
    (*COMPARE, "--jobs", "0"),
    ("bench", "nothing"),
    ("serve",),
]


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_wrong_options_are_told_without_a_trace(home_tf, places, tmp_path, words):
    here = {**places, "out": tmp_path / "out"}
    done = home_tf(*(word.format(**here) for word in words))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "Usage" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else(home_tf, places):
    done = home_tf(*(w.format(**places, out="/home-tf") for w in TRAIN))
    assert done.stderr.startswith("error: /home-tf: cannot be written")
