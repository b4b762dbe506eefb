"""Runs: begun, gone on with, extended, interrupted, and refused."""

import csv
import os
import shutil

import numpy as np
import pytest
from rich.console import Console
from support.checkpoints import last_checkpoint, steps_of

from home_tf.backend import IS_LEGACY
from home_tf.backend.variables import named_variables
from home_tf.config import override_config
from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError, Interrupted
from home_tf.export import export_run
from home_tf.files import locked
from home_tf.run import Run
from home_tf.training import Experiment, evaluate_run, train
from home_tf.training.checkpoint import Checkpoint
from home_tf.training.checkpoints import Checkpoints
from home_tf.training.epoch_steps import smallest_batch, steps_per_epoch

FRAMEWORK = "tfrs" if IS_LEGACY else "keras"


@pytest.fixture(scope="module")
def config(small_config):
    return small_config(
        training__framework=FRAMEWORK,
        training__epochs=1,
        model__architecture={"type": "shared_bottom", "expert": {"units": [4]}},
    )


@pytest.fixture(scope="module")
def trained(config, prepared, tmp_path_factory):
    return train(config, prepared, tmp_path_factory.mktemp("trained") / "run")


@pytest.fixture
def run(trained, tmp_path):
    """A run of one epoch, which a test may change."""
    shutil.copytree(trained.folder, tmp_path / "run")
    return Run(tmp_path / "run")


def epochs_of(run):
    with run.history_file.open() as file:
        return [row["epoch"] for row in csv.DictReader(file)]


def weights_of(run, config, prepared):
    network = Experiment.open(config, prepared).load_network(last_checkpoint(run))
    return network.get_weights()


def steps_per_epoch_of(config, prepared):
    return Experiment.open(config, prepared).steps_per_epoch


@pytest.mark.slow
def test_a_finished_run_is_extended_by_more_epochs(config, prepared, run, tmp_path):
    more = override_config(config, {"training.epochs": 2, "training.patience": 2})
    extended = train(more, prepared, run.folder)
    assert epochs_of(extended) == ["0", "1"]
    assert extended.load_config() == more
    whole = train(more, prepared, tmp_path / "whole")
    pairs = zip(
        weights_of(extended, more, prepared),
        weights_of(whole, more, prepared),
        strict=True,
    )
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"training.learning_rate": 0.5, "features.video_id.width": 2},
            "it differs in features.video_id.width, training.learning_rate. Choose",
        ),
        ({"training.seed": 3}, "it differs in training.seed. Choose"),
    ],
)
def test_a_configuration_that_differs_names_the_keys(
    config, prepared, run, overrides, message
):
    with pytest.raises(HomeError) as error:
        train(override_config(config, overrides), prepared, run.folder)
    assert message in str(error.value)


@pytest.mark.slow
def test_fewer_epochs_and_another_order_of_features_are_another_configuration(
    config, prepared, run
):
    more = override_config(config, {"training.epochs": 2})
    train(more, prepared, run.folder)
    with pytest.raises(HomeError, match=r"it differs in training.epochs"):
        train(config, prepared, run.folder)
    from dataclasses import replace

    reordered = replace(more, features=dict(reversed(more.features.items())))
    with pytest.raises(HomeError, match=r"differs in the order of `features`"):
        train(reordered, prepared, run.folder)


@pytest.mark.slow
def test_a_run_whose_learning_rate_has_decayed_is_not_extended(
    config, prepared, tmp_path
):
    decayed = override_config(config, {"training.learning_rate_decay": "cosine"})
    run = train(decayed, prepared, tmp_path / "run")
    more = override_config(decayed, {"training.epochs": 2})
    with pytest.raises(HomeError, match=r"to zero over 1 epochs, so the run cannot"):
        train(more, prepared, run.folder)


def test_the_best_epoch_is_picked_by_the_score_that_is_chosen(
    config, prepared, tmp_path, monkeypatch
):
    scores = iter([(0.7, 0.5), (0.6, 0.6), (0.5, 0.4)])

    def measure(self):
        auc, gauc = next(scores)
        return {"val_mean_auc": auc, "val_mean_gauc": gauc}

    monkeypatch.setattr("home_tf.training.callbacks.Validation.measure", measure)
    chosen = {"training.select_by": "gauc", "training.epochs": 3}
    chosen["training.patience"] = 3
    run = train(override_config(config, chosen), prepared, tmp_path / "run")
    steps = steps_per_epoch_of(config, prepared)
    assert (run.checkpoints / "best" / f"ckpt-{2 * steps}.index").is_file()
    assert steps_of(run) == [2 * steps, 3 * steps]


def test_two_trainings_do_not_go_into_one_run(config, prepared, run):
    more = override_config(config, {"training.epochs": 2})
    before = run.config_file.read_bytes()
    with (
        locked(run.folder / ".lock", ""),
        pytest.raises(HomeError, match=r"another training of this run is going on"),
    ):
        train(more, prepared, run.folder)
    assert epochs_of(run) == ["0"]
    assert run.config_file.read_bytes() == before
    train(more, prepared, run.folder)  # the lock went with its holder


@pytest.mark.slow
@pytest.mark.parametrize("file", ["run.json", "config.yaml"])
def test_a_training_killed_while_it_begins_can_be_begun_again(
    config, prepared, tmp_path, monkeypatch, file
):
    class Killed(BaseException):
        pass

    import home_tf.files.text

    usual = home_tf.files.text.write_text

    def kill(path, text):
        if path.name == file:
            raise Killed
        usual(path, text)

    for module in ("home_tf.files.text", "home_tf.config.load"):
        monkeypatch.setattr(f"{module}.write_text", kill)
    with pytest.raises(Killed):
        train(config, prepared, tmp_path / "run")
    monkeypatch.undo()
    assert epochs_of(train(config, prepared, tmp_path / "run")) == ["0"]


@pytest.mark.slow
def test_lines_of_epochs_that_were_not_saved_are_removed(config, prepared, run):
    columns = run.history_file.read_text().splitlines()[0].count(",")
    with run.history_file.open("a") as file:
        # Killed before the checkpoint, and while the line was written.
        file.write("1,999" + ",0.5" * (columns - 1) + "\n1,9")
    train(override_config(config, {"training.epochs": 2}), prepared, run.folder)
    assert epochs_of(run) == ["0", "1"]


@pytest.mark.slow
def test_an_interruption_at_once_says_what_is_saved(config, prepared, run, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "home_tf.training.callbacks.Speed.on_train_batch_end", interrupt
    )
    more = override_config(config, {"training.epochs": 3})
    with pytest.raises(Interrupted) as error:
        train(more, prepared, run.folder)
    steps = steps_per_epoch_of(config, prepared)
    assert str(error.value) == (
        f"interrupted; {run.folder} has the training up to step {steps} of {steps} in "
        "epoch 1 of 3. Run the same command again to resume"
    )
    with pytest.raises(Interrupted) as error:
        train(config, prepared, run.folder.with_name("new"))
    assert str(error.value) == (
        f"interrupted; {run.folder.with_name('new')} has nothing yet. Run the same "
        "command again"
    )


def test_a_training_that_diverges_saves_nothing_of_it(
    config, prepared, run, monkeypatch
):
    large = override_config(config, {"training.epochs": 2})
    from home_tf.training import callbacks

    def spoil(self, steps, logs):
        if steps.end_epoch:
            for weight in network.towers.weights[:2]:
                weight.assign(np.full(weight.shape, np.nan, np.float32))

    usual = Experiment.make_model

    def make_model(self):
        nonlocal network
        model = usual(self)
        network = model.network
        return model

    network = None
    monkeypatch.setattr(Experiment, "make_model", make_model)
    monkeypatch.setattr(callbacks.ProgressBar, "show_steps", spoil)
    with pytest.raises(HomeError) as error:
        train(large, prepared, run.folder)
    message = str(error.value)
    assert message.startswith("training has diverged in epoch 2: NaN or infinity in 2")
    steps = steps_per_epoch_of(config, prepared)
    assert f"{run.folder} is kept as it was after step {steps}" in message
    assert all(np.isfinite(w).all() for w in weights_of(run, config, prepared))
    assert epochs_of(run) == ["0"]


def test_a_rate_that_is_too_high_is_told(config, prepared, tmp_path):
    wild = override_config(config, {"training.learning_rate": 1e38})
    with pytest.raises(HomeError, match=r"training has diverged in epoch 1: .*holds n"):
        train(wild, prepared, tmp_path / "run")


@pytest.mark.parametrize("command", [evaluate_run, export_run])
def test_weights_that_are_not_finite_are_refused(
    config, prepared, run, tmp_path, command
):
    network = Experiment.open(config, prepared).load_network(run.find_best())
    weights = named_variables(network)
    name, variable = next(iter(weights.items()))
    variable.assign(np.full(variable.shape, np.inf, np.float32))
    Checkpoint(network=weights).save(run.find_best(), 1)
    arguments = [tmp_path / "model"] if command is export_run else []
    with pytest.raises(HomeError) as error:
        command(run, *arguments)
    assert f"best: has NaN or infinity in 1 of {len(weights)} weights ({name})" in str(
        error.value
    )
    assert not list((tmp_path / "model").glob("[0-9]*"))


@pytest.mark.parametrize("content", ["[]", "null", '"text"', "{", ""])
def test_a_state_that_is_none_is_told_in_one_line(run, content):
    run.state_file.write_text(content)
    with pytest.raises(HomeError) as error:
        evaluate_run(run)
    assert str(error.value).startswith(f"{run.state_file}: ")
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_run_may_be_called_anything(config, prepared, tmp_path):
    run = train(config, prepared, tmp_path / "[x]*?")
    assert evaluate_run(run, splits=["validation"])["validation"]["auc"]
    more = override_config(config, {"training.epochs": 2})
    assert epochs_of(train(more, prepared, run.folder)) == ["0", "1"]


def test_without_a_terminal_a_line_says_how_far_it_is(
    config, prepared, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("home_tf.training.callbacks.LINE_SECONDS", 0.0)
    train(config, prepared, tmp_path / "run", console=Console(width=80))
    lines = capsys.readouterr().out.splitlines()
    steps = [line for line in lines if "  step " in line]
    assert len(steps) > 2
    assert steps[0].startswith("epoch 1/1  step 1/")
    assert "  loss 0." in steps[0] or "  loss " in steps[0]
    assert max(map(len, lines)) <= 80


@pytest.mark.slow
def test_data_without_users_is_measured_without_gauc(config, prepared, tmp_path):
    without = override_config(config, {"evaluation.group_by": None})
    run = train(without, prepared, tmp_path / "run")
    found = evaluate_run(run, splits=["test"])["test"]
    assert not [key for key in found if "gauc" in key]
    assert found["auc_interval"]["is_click"][0] < found["auc"]["is_click"]
    with run.history_file.open() as file:
        columns = next(csv.reader(file))
    assert "val_mean_auc" in columns
    assert "val_mean_gauc" not in columns


def test_a_checkpoint_has_the_number_of_steps(config, prepared, run):
    experiment = Experiment.open(config, prepared)
    checkpoints = Checkpoints(run, experiment.make_model(), config.training)
    checkpoints.restore(pytest.fail)
    assert checkpoints.step == experiment.steps


@pytest.mark.parametrize(
    ("rows", "batch_size", "steps", "least"),
    [
        (1000, 100, 10, 25),
        (1025, 100, 11, 25),
        (1024, 100, 10, 25),
        (1001, 100, 10, 25),
        (3, 100, 1, 1),  # there is no other batch
        (100, 100, 1, 1),
        (103, 101, 1, 26),
    ],
)
def test_a_last_batch_of_a_few_rows_is_no_step(rows, batch_size, steps, least):
    assert steps_per_epoch(rows, batch_size) == steps
    assert smallest_batch(rows, batch_size) == least


def test_an_epoch_has_as_many_batches_as_it_has_steps(config, prepared):
    rows = Experiment.open(config, prepared).data.split("train").rows
    for batch_size in (rows - 1, rows // 2 - 1, rows // 3 * 2, 100):
        sized = override_config(config, {"training.batch_size": batch_size})
        experiment = Experiment.open(sized, prepared)
        sizes = [len(next(iter(y.values()))) for _, y, _ in experiment.read_training()]
        assert len(sizes) == experiment.steps_per_epoch
        assert min(sizes) >= batch_size / 4


def test_the_lock_leaves_nothing(config, prepared, run):
    with run.hold(config, DatasetDirectory(prepared)):
        assert ".lock" in os.listdir(run.folder)
    assert ".lock" not in os.listdir(run.folder)


@pytest.mark.slow
def test_a_training_with_nothing_to_do_says_why(config, prepared, run, capsys):
    train(config, prepared, run.folder, console=Console(width=80))
    assert capsys.readouterr().out == (
        "all 1 epochs are done; more `epochs` extend the run\n"
    )
    rate = {"training.learning_rate": 0.05, "training.epochs": 9}
    other = override_config(config, {**rate, "training.patience": 1})
    finished = train(other, prepared, run.folder.with_name("other"))
    assert len(epochs_of(finished)) < 9
    train(other, prepared, finished.folder, console=Console(width=80))
    said = capsys.readouterr().out
    steps = steps_per_epoch_of(config, prepared) * len(epochs_of(finished))
    assert said == (
        f"stopped early after step {steps} (`patience: 1`); a larger `patience` "
        "resumes the run\n"
    )
