"""Candidates that an export holds, so that a request only names them."""

import numpy as np
import pytest
import tensorflow as tf

from home_tf.config import CandidatesConfig
from home_tf.data import Column, DatasetDirectory, RecordWriter
from home_tf.errors import HomeError
from home_tf.export import example_request
from home_tf.export.candidates import Candidates

LATEST = CandidatesConfig(column="video", latest_by="date")
COLUMNS = {
    "video": Column("int64"),
    "date": Column("int32"),
    "tags": Column("int32", (2,)),
    "kind": Column("string"),
}


@pytest.fixture
def folder(tmp_path):
    def write(**splits):
        with RecordWriter(tmp_path, COLUMNS, shards=1) as writer:
            for split, rows in splits.items():
                videos, dates = zip(*rows, strict=True)
                numbers = np.array(dates, np.int32)
                columns = {
                    "video": np.array(videos, np.int64),
                    "date": numbers,
                    "tags": np.stack([numbers, -numbers], axis=1),
                    "kind": np.array([f"of {d}".encode() for d in dates], object),
                }
                writer.write(split, columns)
        return DatasetDirectory(tmp_path)

    return write


def test_the_latest_row_of_each_candidate_is_held_whatever_its_split(folder):
    data = folder(
        train=[(7, 3), (5, 9), (7, 2), (-1, 99)],
        validation=[(5, 8), (3, 1), (7, 4)],
    )
    found = Candidates.read(data, LATEST, ["video", "tags", "kind"]).columns
    assert found["video"].tolist() == [3, 5, 7]
    assert found["tags"].tolist() == [[1, -1], [9, -9], [4, -4]]
    assert found["kind"].tolist() == [b"of 1", b"of 9", b"of 4"]
    # As the signature `rank` takes them.
    assert found["tags"].dtype == np.int64


def test_of_rows_that_are_equally_late_the_last_is_held(folder, monkeypatch):
    monkeypatch.setattr("home_tf.export.candidates._BATCH_ROWS", 2)
    data = folder(train=[(7, 3), (5, 3), (5, 4), (7, 3), (7, 1)])
    # The values tell nothing of equal dates, so the rows do.
    rows = next(iter(data.read("train", batch_size=5)))
    assert rows["date"].numpy().tolist() == [3, 3, 4, 3, 1]
    found = Candidates.read(data, LATEST, ["video", "kind"]).columns
    assert found["video"].tolist() == [5, 7]
    assert found["kind"].tolist() == [b"of 4", b"of 3"]


@pytest.mark.parametrize(
    ("latest_by", "received"),
    [
        ("day", "'day', which is not a column here"),
        ("kind", r"'kind', which holds string of shape \[\]"),
        ("tags", r"'tags', which holds int32 of shape \[2\]"),
    ],
)
def test_a_column_that_orders_no_rows_is_told(folder, latest_by, received):
    data = folder(train=[(7, 3)])
    config = CandidatesConfig(column="video", latest_by=latest_by)
    with pytest.raises(HomeError, match=f"a number in each row. Received: {received}"):
        Candidates.read(data, config, ["video", "kind"])


def test_rows_without_a_candidate_are_told(folder):
    with pytest.raises(HomeError, match="no row has a value in `video`"):
        Candidates.read(folder(train=[(-1, 3)]), LATEST, ["video", "kind"])


@pytest.mark.slow
def test_rank_by_id_predicts_the_candidates_by_their_latest_row(
    trained, loaded, prepared
):
    signatures = loaded.signatures
    request = example_request(trained[1], "rank_by_id")
    assert set(map(len, request.values())) == {1, 64}
    names = signatures["predict"].structured_input_signature[1]
    latest, data = {}, DatasetDirectory(prepared)
    for split in ("train", "validation", "test"):
        for batch in data.read(split, batch_size=4096).as_numpy_iterator():
            for row, video in enumerate(batch["video_id"].tolist()):
                found = {k: values[row : row + 1] for k, values in batch.items()}
                date = int(found["date"][0])
                if video >= 0 and date >= latest.get(video, (0,))[0]:
                    latest[video] = date, found
    chosen = [*sorted(latest)[:20], sorted(latest)[0]]  # one twice
    once = {k: v for k, v in request.items() if len(v) == 1}
    inputs = {
        name: np.repeat(once[name], len(chosen), axis=0)
        if name in once
        else np.concatenate([latest[video][1][name] for video in chosen])
        for name in names
    }
    typed = {k: tf.cast(v, names[k].dtype) for k, v in inputs.items()}
    expected = signatures["predict"](**typed)
    once = {k: tf.constant(v) for k, v in once.items()}
    ids = tf.constant(chosen, tf.int64)
    found = signatures["rank_by_id"](video_id=ids, **once)
    assert set(found) == set(expected)
    for task, values in expected.items():
        np.testing.assert_allclose(found[task], values, atol=1e-6)
    none = signatures["rank_by_id"](video_id=ids[:0], **once)
    assert none["is_click"].shape == (0,)


def test_a_candidate_that_the_export_lacks_is_told_by_name(trained, loaded):
    signature = loaded.signatures["rank_by_id"]
    request = example_request(trained[1], "rank_by_id")
    request["video_id"][3] = 987654321
    inputs = {name: tf.constant(values) for name, values in request.items()}
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=r"holds no candidate with such a `video_id`:\] \[987654321\]",
    ):
        signature(**inputs)
