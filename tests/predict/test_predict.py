"""Predictions of many rows, against the trained network run eagerly."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from support.processes import run_python
from support.trained import TASKS

from home_tf.errors import HomeError
from home_tf.predict import predict

NAMES = [f"predicted_{task}" for task in sorted(TASKS)]


def read(folder):
    """The predictions, as one table in the order of the parts."""
    files = sorted(folder.glob("part-*.parquet"))
    return pa.concat_tables([pq.read_table(file) for file in files])


def assert_expected(table, expected, rows=64):
    for task in TASKS:
        found = table[f"predicted_{task}"].to_numpy()[:rows]
        np.testing.assert_allclose(found, expected[task], atol=1e-5)


@pytest.fixture(scope="session")
def rows(trained, tmp_path_factory):
    """The first test rows in files: Parquet, and CSV; lists without their padding."""
    _, _, batch, _ = trained
    columns = {"impression": [f"i{n}" for n in range(64)]}
    for name, tensor in reversed(batch.items()):
        values = tensor.numpy()
        if values.ndim == 2:
            columns[name] = [[v for v in row if v != -1] or None for row in values]
        elif values.dtype == object:
            columns[name] = [value.decode() for value in values]
        else:
            columns[name] = values
    folder = tmp_path_factory.mktemp("rows")
    table = pa.table(columns)
    pq.write_table(table.slice(0, 40), folder / "a.parquet")
    # Another order, and other types of the same kind.
    rest = table.slice(40).select(sorted(table.column_names))
    place = rest.column_names.index("user_id")
    rest = rest.set_column(place, "user_id", rest["user_id"].cast(pa.int16()))
    pq.write_table(rest, folder / "b.parquet")
    texts = {
        name: pa.array(["" if v is None else str(v) for v in table[name].to_pylist()])
        if pa.types.is_list(table[name].type)
        else table[name]
        for name in table.column_names
    }
    pyarrow.csv.write_csv(pa.table(texts), folder / "rows.csv")
    return folder


def test_a_run_predicts_a_split_of_a_dataset_directory(trained, tmp_path):
    run, _, batch, expected = trained
    records = run.folder.parent / "records"
    progress = []
    done = predict(
        records,
        tmp_path / "out",
        run=run.folder,
        columns=["user_id", "tag", "is_click"],
        rows_per_file=500,
        batch_size=100,
        progress=lambda *one: progress.append(one),
    )
    rows = json.loads((records / "schema.json").read_text())["splits"]["test"]["rows"]
    table = read(tmp_path / "out")
    assert done == table.num_rows == rows
    assert table.column_names == ["user_id", "tag", "is_click", *NAMES,
                                  "predicted_score"]  # fmt: skip
    assert_expected(table, expected)
    np.testing.assert_array_equal(table["user_id"][:64], batch["user_id"])
    np.testing.assert_array_equal(table["tag"].to_pylist()[:64], batch["tag"])
    # By the configuration the score is the product is_click * sqrt(is_like).
    score = expected["is_click"] * np.sqrt(expected["is_like"])
    np.testing.assert_allclose(table["predicted_score"][:64], score, atol=1e-5)
    assert progress[-1] == ("predicting rows", rows, rows)


@pytest.mark.parametrize("files", ["*.parquet", "rows.csv", "list", "table"])
def test_an_export_predicts_files_and_tables(trained, rows, tmp_path, files):
    _, version, _, expected = trained
    parquet = [rows / "a.parquet", rows / "b.parquet"]
    tables = map(pq.read_table, parquet)
    table = pa.concat_tables(tables, promote_options="permissive")
    data = {"list": parquet, "table": table}.get(files, str(rows / files))
    # The folder of the versions, of which the newest is taken.
    predict(data, tmp_path / "out", export=version.parent, columns=["impression"])
    table = read(tmp_path / "out")
    assert table.column_names == ["impression", *NAMES, "predicted_score"]
    assert table["impression"].to_pylist() == [f"i{n}" for n in range(64)]
    assert_expected(table, expected)


def test_an_interrupted_call_resumes(trained, tmp_path):
    run, version, _, _ = trained
    records = run.folder.parent / "records"
    given = {"export": version, "columns": ["video_id"], "rows_per_file": 300}
    predict(records, tmp_path / "whole", **given)

    def interrupt(_, done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    given |= {"batch_size": 100}
    with pytest.raises(KeyboardInterrupt):
        predict(records, tmp_path / "out", **given, progress=interrupt)
    parts = sorted((tmp_path / "out").glob("part-*"))
    before = [part.stat().st_mtime_ns for part in parts]
    assert parts
    assert not json.loads((tmp_path / "out/predictions.json").read_text())["complete"]
    shown = []
    predict(records, tmp_path / "out", **given, progress=lambda *one: shown.append(one))
    assert [part.stat().st_mtime_ns for part in parts] == before
    assert shown[0][1] > 300  # not from the beginning
    one, other = read(tmp_path / "whole"), read(tmp_path / "out")
    assert one["video_id"] == other["video_id"]
    np.testing.assert_allclose(one[NAMES[0]], other[NAMES[0]], atol=1e-6)
    # What is complete is not predicted again.
    shown.clear()
    predict(records, tmp_path / "out", **given, progress=lambda *one: shown.append(one))
    assert not shown


def test_what_a_killed_call_left_is_removed(trained, rows, tmp_path):
    _, version, _, expected = trained
    out, given = tmp_path / "out", {"export": version, "rows_per_file": 1}
    with pytest.raises(KeyboardInterrupt):
        predict(str(rows / "*.parquet"), out, **given, batch_size=40, progress=stop)
    # Killed after a file was in its place, and before the manifest said so.
    shutil.copy(rows / "a.parquet", out / "part-00007.parquet")
    (out / ".spool-killed").mkdir()
    predict(str(rows / "*.parquet"), out, **given, batch_size=40)
    assert read(out).num_rows == 64
    assert_expected(read(out), expected)
    assert not list(out.glob(".spool*"))


def stop(_, done, total):
    """Interrupts a call after its first file."""
    if done == total:
        raise KeyboardInterrupt


def test_a_table_is_never_taken_for_another(trained, rows, tmp_path):
    _, version, _, _ = trained
    predict(change(rows), tmp_path / "out", export=version)
    with pytest.raises(HomeError, match="another call, with another data"):
        predict(change(rows).slice(1), tmp_path / "out", export=version)


def test_a_broken_record_is_named(trained, tmp_path):
    run, version, _, _ = trained
    records = tmp_path / "records"
    shutil.copytree(run.folder.parent / "records", records)
    (file, *_) = sorted(records.glob("test-*"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(HomeError, match=rf"{file.name}.*record"):
        predict(records, tmp_path / "out", export=version)
    file.write_bytes(content[:100])
    with pytest.raises(HomeError, match=file.name):
        predict(records, tmp_path / "out", export=version)
    assert not list((tmp_path / "out").glob("part-*"))


def test_other_predictions_are_refused(trained, rows, tmp_path):
    _, version, _, _ = trained
    out = tmp_path / "out"
    predict(rows / "a.parquet", out, export=version)
    with pytest.raises(HomeError, match="another call, with another data"):
        predict(rows / "b.parquet", out, export=version)
    with pytest.raises(HomeError, match="another columns"):
        predict(rows / "a.parquet", out, export=version, columns=["impression"])
    (tmp_path / "mine.txt").touch()
    with pytest.raises(HomeError, match="is not empty"):
        predict(rows / "a.parquet", tmp_path, export=version)
    assert (tmp_path / "mine.txt").exists()


def change(rows, **columns):
    table = pq.read_table(rows / "a.parquet")
    for name, values in columns.items():
        table = table.drop_columns([name])
        if values is not None:
            table = table.append_column(name, values)
    return table


def test_columns_that_the_model_cannot_read_are_named(trained, rows, tmp_path):
    _, version, _, _ = trained

    def refuse(match, **columns):
        with pytest.raises(HomeError, match=match):
            predict(change(rows, **columns), tmp_path / "out", export=version)

    forty = np.arange(40)
    refuse("no column user_id, which the model reads", user_id=None)
    refuse("`user_id` must hold whole numbers", user_id=pa.array(map(str, forty)))
    refuse(r"`user_id`.*truncated", user_id=pa.array(forty + 0.5))
    refuse("`tag` must hold lists of whole numbers", tag=pa.array(forty))
    refuse(
        "column `user_is_click_rate` of the features must hold finite numbers",
        user_is_click_rate=pa.array([None, *forty[1:]], pa.float32()),
    )
    with pytest.raises(HomeError, match="no column nothing, which `columns` names"):
        predict(change(rows), tmp_path / "out", export=version, columns=["nothing"])


def test_calls_without_a_model_or_rows_are_refused(trained, rows, tmp_path):
    run, version, _, _ = trained
    files, out = rows / "a.parquet", tmp_path / "out"
    for wrong, match in (
        ({}, "name the model"),
        ({"export": version, "run": run.folder}, "not both"),
        ({"export": tmp_path}, "does not contain an exported model"),
        ({"export": version, "split": "test"}, "`split` requires a dataset directory"),
        (
            {"export": version, "columns": ["predicted_is_click"]},
            "the name of a prediction",
        ),
        ({"export": version, "batch_size": 0}, "`batch_size` must be at least 1"),
        (
            {"export": version, "engine": "spark"},
            "Spark writes the rows in no particular order",
        ),
        ({"run": run.folder, "engine": "spark"}, "each executor loads an `export`"),
    ):
        with pytest.raises(HomeError, match=match):
            predict(files, out, **wrong)
    with pytest.raises(HomeError, match="no file matches"):
        predict(tmp_path / "none.parquet", out, export=version)
    # They leave nothing that another call would stumble over.
    assert not list(out.iterdir())


def test_an_export_needs_nothing_that_trains(trained, rows, tmp_path):
    _, version, _, _ = trained
    program = f"""
import sys
from home_tf.predict import predict
predict({str(rows / "rows.csv")!r}, {str(tmp_path / "out")!r}, export={str(version)!r})
found = {{name.partition(".")[2].partition(".")[0] for name in sys.modules
         if name.startswith("home_tf.")}}
assert not found & {{"backend", "layers", "training", "export", "prepare"}}, found
assert "tf_keras" not in sys.modules
"""
    done = run_python("-c", program)
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "out").num_rows == 64
