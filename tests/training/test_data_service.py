"""A tf.data service as real processes: what is read, and what is said if it ends."""

import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from io import StringIO

import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console
from support.data_service import ROOT, free_port, running_service
from support.processes import children_of, is_running, run_python, wait_until
from support.strategies import two_devices
from support.tensorflow_log import without_cost_estimates

from home_tf.backend import IS_LEGACY, keras
from home_tf.config import TrainingConfig, dump_config
from home_tf.data import Column, DatasetDirectory, RecordSchema, RecordWriter
from home_tf.data.schema import Split
from home_tf.data.service_batches import _check_rows, has_lost_rows
from home_tf.errors import HomeError
from home_tf.losses.labels import check_labels
from home_tf.training import train
from home_tf.training.callbacks import Milestones

FRAMEWORK = "tfrs" if IS_LEGACY else "keras"
# How processes end has nothing to do with Keras: once is enough.
once = pytest.mark.skipif(IS_LEGACY, reason="tested under Keras 3")
COLUMNS = {
    "id": Column("int64"),
    "word": Column("string"),
    "numbers": Column("float32", (2,)),
    "label": Column("float32"),
}
# Fewer and more than a batch, and none.
ROWS_OF_FILES = [3, 160, 41, 0, 7, 96]
ROWS = sum(ROWS_OF_FILES)


@pytest.fixture(scope="module")
def service():
    """The address of a service of two workers."""
    port = free_port()
    with running_service(port, "--workers", "2"):
        yield f"grpc://localhost:{port}"
        gc.collect()  # a dataset that outlives its service waits for it


def write_uneven(folder, layout):
    """Writes a file of each size, each by a writer of its own, as one directory."""
    files, start = [], 0
    for index, rows in enumerate(ROWS_OF_FILES):
        part = folder / f"part-{index}"
        number = np.arange(start, start + rows)
        start += rows
        with RecordWriter(part, COLUMNS, layout=layout, shards=1) as writer:
            values = {
                "id": number,
                "word": np.array([f"w{n}" for n in number], object),
                "numbers": np.stack([number / 2, -number], 1).astype(np.float32),
                "label": (number % 2).astype(np.float32),
            }
            writer.write("train", values)
        schema = RecordSchema.load(part)
        (file,) = schema.splits["train"].files
        name = f"train-{index}.tfrecord"
        shutil.move(part / file.name, folder / name)
        files.append(type(file)(**{**vars(file), "name": name}))
    splits = {"train": Split(rows=ROWS, files=tuple(files))}
    RecordSchema(
        layout=layout, compression=schema.compression, columns=COLUMNS, splits=splits
    ).save(folder)
    return DatasetDirectory(folder)


def look_up():
    """A transformation with the lookup tables of Keras, as the preprocessor has."""
    words = keras.layers.StringLookup(vocabulary=[f"w{n}" for n in range(ROWS)])
    numbers = keras.layers.IntegerLookup(vocabulary=list(range(ROWS)))

    def transform(columns):
        ids = columns["id"]
        return {"id": ids, "word": words(columns["word"]), "number": numbers(ids)}, {
            "label": columns["label"]
        }

    return transform


def read(data, **options):
    """`{name: values}` of each batch."""
    options = {"batch_size": 32, "smallest_batch": 8, **options}
    dataset = data.read("train", transform=look_up(), **options)
    return [
        {name: values.numpy() for part in batch for name, values in part.items()}
        for batch in dataset
    ]


def sizes(batches):
    return [len(batch["id"]) for batch in batches]


@pytest.mark.parametrize("shuffle_rows", [0, 100])
@pytest.mark.parametrize("layout", ["packed", "rows"])
def test_each_epoch_has_each_row_once_in_the_batches_of_one_process(
    tmp_path, service, layout, shuffle_rows
):
    data = write_uneven(tmp_path, layout)
    options = {"epochs": 3, "shuffle_rows": shuffle_rows, "smallest_batch": 1}
    found = read(data, service=service, **options)
    assert sizes(found) == sizes(read(data, **options))
    steps = len(found) // 3
    for epoch in range(3):
        batches = found[epoch * steps : (epoch + 1) * steps]
        ids = np.concatenate([batch["id"] for batch in batches])
        assert sorted(ids) == list(range(ROWS))
    for batch in found:
        np.testing.assert_array_equal(batch["word"], batch["id"] + 1)
        np.testing.assert_array_equal(batch["number"], batch["id"] + 1)
        np.testing.assert_array_equal(batch["label"], batch["id"] % 2)


@pytest.mark.parametrize("layout", ["packed", "rows"])
def test_a_resumed_epoch_has_as_many_rows_as_it_lacks(tmp_path, service, layout):
    data = write_uneven(tmp_path, layout)
    rest = {"epochs": 2, "first_step": 4, "shuffle_rows": 100, "smallest_batch": 1}
    found = read(data, service=service, **rest)
    assert sizes(found) == sizes(read(data, **rest))
    ids = np.concatenate([batch["id"] for batch in found])
    lacking = ROWS - 4 * 32
    assert len(set(ids[:lacking])) == lacking
    assert sorted(ids[lacking:]) == list(range(ROWS))


@once
def test_every_worker_gets_files(tmp_path, service):
    with RecordWriter(tmp_path, {"id": COLUMNS["id"]}, shards=8) as writer:
        writer.write("train", {"id": np.arange(4000)})

    def transform(columns):
        threads = tf.io.matching_files("/proc/self/task/*")  # of the worker
        first = tf.strings.regex_replace(threads, ".*/", "")
        process = tf.reduce_min(tf.strings.to_number(first, tf.int64))
        return tf.fill(tf.shape(columns["id"]), process)

    rows = {}
    # Shuffled together, the files would all fit into one worker's buffer.
    options = {"batch_size": 16, "shuffle_rows": 10000, "service": service}
    data = DatasetDirectory(tmp_path).read("train", transform=transform, **options)
    for batch in data:
        for process in batch.numpy():
            rows[process] = rows.get(process, 0) + 1
        time.sleep(0.01)  # they wait for the trainer, as they do where it pays
    assert len(rows) == 2
    assert min(rows.values()) >= 1000


def test_replicas_divide_the_batches(tmp_path, service):
    data = write_uneven(tmp_path, "packed")
    context = tf.distribute.InputContext(num_replicas_in_sync=2)
    options = {"shuffle_rows": 100, "input_context": context}
    found = read(data, service=service, **options)
    assert sizes(found) == sizes(read(data, **options))
    assert len(set(np.concatenate([batch["id"] for batch in found]))) == ROWS


@once
def test_what_is_wrong_with_a_column_is_still_said(tmp_path, service):
    data = write_uneven(tmp_path, "rows")

    def transform(columns):
        return check_labels("column `id`, task `click`", columns["id"])

    with pytest.raises(tf.errors.InvalidArgumentError, match="column `id`, task"):
        list(data.read("train", batch_size=32, transform=transform, service=service))


@pytest.mark.parametrize("rows", [64, 70, 97, 128])
def test_lost_rows_are_an_error(rows):
    batches = tf.data.Dataset.range(rows).batch(32)
    with pytest.raises(tf.errors.OpError) as error:
        list(_check_rows(batches, 96, 32, 0))
    assert has_lost_rows(error.value)
    assert len(list(_check_rows(batches, rows, 32, 0))) == -(-rows // 32)


@pytest.fixture
def config(small_config):
    quick = {"type": "shared_bottom", "expert": {"units": [8]}}
    return lambda **options: small_config(
        training__framework=FRAMEWORK, model__architecture=quick, **options
    )


@pytest.mark.slow
def test_two_devices_train_and_resume_within_an_epoch(
    config, prepared, service, tmp_path, monkeypatch
):
    usual = Milestones.on_train_batch_end

    def interrupt(self, batch, logs=None):
        usual(self, batch, logs)
        if batch == 2:
            signal.raise_signal(signal.SIGINT)

    console = Console(file=StringIO())
    arguments = (
        config(training__epochs=1, training__data_service=service),
        prepared,
        tmp_path / "run",
    )
    options = {"strategy": two_devices(), "console": console}
    with monkeypatch.context() as patch:
        patch.setattr(Milestones, "on_train_batch_end", interrupt)
        with pytest.raises(KeyboardInterrupt, match="up to step 4 of"):
            train(*arguments, **options)
    run = train(*arguments, **options)
    assert "resuming within an epoch: `training.data_service`" in (
        console.file.getvalue()
    )
    (header, line) = run.history_file.read_text().splitlines()
    steps = DatasetDirectory(prepared).split("train").rows // 256
    assert int(dict(zip(header.split(","), line.split(","), strict=True))["step"]) in (
        steps,
        steps + 1,
    )
    gc.collect()


def train_by_command(config, prepared, out, *options):
    dump_config(config, out.with_suffix(".yaml"))
    arguments = ("--config", out.with_suffix(".yaml"), "--data", prepared, "--out", out)
    return "-m", "home_tf", "train", *arguments, *options


@pytest.mark.slow
def test_the_command_trains_from_a_service(config, prepared, service, tmp_path):
    command = train_by_command(
        config(), prepared, tmp_path / "run", "--data-service", service
    )
    done = run_python(*command, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "epoch 2/2" in done.stdout
    assert without_cost_estimates(done.stderr) == ""


@once
def test_a_service_that_is_not_there(config, prepared, tmp_path):
    address = f"grpc://localhost:{free_port()}"
    with pytest.raises(HomeError) as error:
        train(config(training__data_service=address), prepared, tmp_path / "run")
    assert str(error.value) == (
        f"`training.data_service`: no tf.data service can be reached at {address}. "
        "Start it with `home-tf data-service`, or correct the address"
    )
    assert not (tmp_path / "run").exists()


@once
@pytest.mark.parametrize("address", ["host:5050", "grpc://host", "grpc://host:0"])
def test_an_address_that_is_none(address):
    with pytest.raises(HomeError, match="`data_service` must be the address of a disp"):
        TrainingConfig(data_service=address)


@pytest.mark.slow
@once
def test_a_service_that_ends_ends_the_training(config, prepared, tmp_path):
    port = free_port()
    endless = config(
        training__epochs=1000, training__patience=1000, training__checkpoint_every=3
    )
    run, address = tmp_path / "run", f"grpc://localhost:{port}"
    command = train_by_command(endless, prepared, run, "--data-service", address)
    with running_service(port, "--workers", "2") as processes:
        training = subprocess.Popen(
            [sys.executable, *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        try:
            wait_until(lambda: any(run.glob("checkpoints/step-*")))
            workers = children_of(processes)
            os.kill(workers[2], signal.SIGKILL)
            _, errors = processes.communicate(timeout=60)
            assert processes.returncode == 2
            assert (
                "process 2 of 3 (counted from 0) failed, so the others were" in errors
            )
            assert not any(map(is_running, workers))
            _, errors = training.communicate(timeout=90)
        finally:
            training.kill()
    assert training.returncode == 2
    assert "Traceback" not in errors
    # TensorFlow 2.16 says so, too, at any log level.
    assert errors.splitlines()[-1] == (
        f"error: `training.data_service`: {address} has ended, or cannot be reached "
        "any more. Start it again, then run the same command again to resume"
    )


STALLED = """
import sys, time
from home_tf.training import service_watch
service_watch._ASK_SECONDS = service_watch._POLL_SECONDS = 0.1
watch = service_watch.ServiceWatch(sys.argv[1], limit=0.5)
watch.start()
watch.on_train_batch_begin(0)
watch.on_train_batch_end(0)
time.sleep(1)  # a validation may take as long as it does
print("validated", flush=True)
watch.on_train_batch_begin(1)
time.sleep(60)
"""


@pytest.mark.slow
@once
def test_a_step_that_waits_too_long_ends_the_process():
    with socket.create_server(("127.0.0.1", 0)) as dispatcher:
        address = f"grpc://127.0.0.1:{dispatcher.getsockname()[1]}"
        done = run_python("-c", STALLED, address, cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "validated\n")
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"error: `training.data_service`: no batch from {address} ")


@pytest.mark.slow
@once
def test_a_port_that_is_taken_is_told_in_one_line(tmp_path):
    with socket.create_server(("", 0)) as taken:
        port = str(taken.getsockname()[1])
        options = ("data-service", "--workers", "0", "--port", port)
        done = run_python("-m", "home_tf", *options, cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: `--port`: {port} cannot be used (")
