"""A dataset directory as one object: what it holds, and what is read how often."""

import builtins
import collections
import io
import shutil

import pytest

from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError
from home_tf.features import Preprocessor
from home_tf.training import train


@pytest.fixture
def copy(prepared, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(prepared, folder)
    return folder


@pytest.fixture
def opened(monkeypatch):
    """Counts by name how often the files of a dataset directory are opened."""
    counts = collections.Counter()

    def count(file, *arguments, open=io.open, **options):
        name = str(file).rsplit("/", 1)[-1]
        if name.endswith((".json", ".csv")):
            counts[name] += 1
        return open(file, *arguments, **options)

    # `Path.open` and `Path.read_text` call the former, `open` is the latter.
    monkeypatch.setattr(io, "open", count)
    monkeypatch.setattr(builtins, "open", count)
    return counts


def test_a_training_reads_schema_statistics_and_vocabularies_once(
    small_config, prepared, tmp_path, opened
):
    config = small_config(training__epochs=1, training__framework="keras")
    data = DatasetDirectory(prepared)
    _ = data.fingerprint  # reads them too, as bytes
    for name in ("schema.json", "statistics.json", "user_id.csv", "video_id.csv"):
        opened[name] = 0
    train(config, data, tmp_path / "run")
    assert opened["schema.json"] == 0
    assert opened["statistics.json"] == 1
    assert opened["user_id.csv"] == opened["video_id.csv"] == 1


def test_preprocessors_share_what_was_read(small_config, prepared, opened):
    data = DatasetDirectory(prepared)
    for _ in range(2):
        Preprocessor(small_config().features, data)
    assert set(opened.values()) - {opened["config.yaml"]} == {1}


def test_an_open_directory_is_taken_as_it_is(prepared):
    data = DatasetDirectory(prepared)
    assert DatasetDirectory.of(data) is data
    assert DatasetDirectory.of(str(prepared)).path == prepared
    assert str(data) == str(prepared)


def test_a_vocabulary_has_values_and_counts_most_frequent_first(prepared):
    found = DatasetDirectory(prepared).vocabulary("user_id")
    assert all(isinstance(value, int) and value != -1 for value in found.values)
    assert list(found.counts) == sorted(found.counts, reverse=True)
    few = found.seen(at_least=found.counts[0])
    assert few == list(found.values[: len(few)])
    names = DatasetDirectory(prepared).vocabulary("user_active_degree").values
    assert names
    assert all(isinstance(name, str) and name for name in names)


def test_a_vocabulary_may_be_empty(copy):
    file = copy / "vocabularies" / "user_id.csv"
    file.write_text("value,count\n-1,3\n")
    assert DatasetDirectory(copy).vocabulary("user_id").values == ()


def test_missing_statistics_are_told_when_they_are_needed(copy):
    (copy / "statistics.json").unlink()
    data = DatasetDirectory(copy)
    with pytest.raises(HomeError, match=r"statistics.json: no readable statistics"):
        data.statistics("duration_ms")


def test_the_fingerprint_follows_schema_vocabularies_and_statistics(prepared, copy):
    before = DatasetDirectory(prepared).fingerprint
    assert DatasetDirectory(copy).fingerprint == before
    for name in ("schema.json", "statistics.json", "vocabularies/user_id.csv"):
        (copy / name).write_text((copy / name).read_text() + "\n")
        changed = DatasetDirectory(copy).fingerprint
        assert changed != before
        before = changed


def test_a_directory_without_records_is_told(tmp_path):
    with pytest.raises(
        HomeError, match=r"there is no such directory; run `home-tf pre"
    ):
        DatasetDirectory(tmp_path / "nowhere")
