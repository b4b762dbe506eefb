import gzip
import re

import pytest

from home_tf.errors import HomeError
from home_tf.prepare import prepare

LOG = "log_standard_4_25_to_4_29_synthetic.csv.gz"
USERS = "user_features_synthetic.csv"
VIDEOS = "video_features_basic_synthetic.csv"


@pytest.fixture
def error(source, tmp_path):
    """The message of the error of preparing the source; nothing may be left behind."""

    def message(folder=source, **arguments):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(HomeError) as raised:
            prepare(folder, tmp_path / "out", **arguments)
        assert sorted(tmp_path.rglob("*")) == before
        assert "\n" not in str(raised.value)
        return str(raised.value)

    return message


def spoil(row_number, **values):
    return lambda number, row: row.update(values if number == row_number else {})


def without(column):
    return lambda _, row: row.pop(column)


def test_a_missing_folder_says_what_is_expected_and_where_to_get_it(error, tmp_path):
    message = error(tmp_path / "nowhere")
    assert "`source` must be a folder" in message
    assert "nowhere" in message
    assert "log_standard*.csv" in message
    assert "https://kuairand.com" in message


@pytest.mark.parametrize("file", [LOG, USERS, VIDEOS])
def test_a_missing_file_is_named(source, error, file):
    (source / file).unlink()
    message = error()
    assert f"no {file.split('synthetic')[0].split('_4_')[0]}" in message
    assert "https://kuairand.com" in message


def test_a_file_that_is_there_twice_is_refused(source, error):
    plain = gzip.decompress((source / LOG).read_bytes())
    (source / LOG.removesuffix(".gz")).write_bytes(plain)
    assert "twice" in error()


@pytest.mark.parametrize(
    ("file", "column"),
    [(LOG, "is_follow"), (USERS, "onehot_feat7"), (VIDEOS, "music_id")],
)
def test_a_missing_column_is_named_with_its_file(source, edit, error, file, column):
    edit(source, file, without(column))
    message = error()
    assert file in message
    assert f"no column `{column}`" in message


@pytest.mark.parametrize(
    ("file", "values", "line"),
    [
        (LOG, {"play_time_ms": "soon"}, "#12"),
        (LOG, {"video_id": "1.5"}, "#12"),
        (USERS, {"register_days": "long"}, "#12"),
        (VIDEOS, {"upload_dt": "10 April"}, "#12"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_file_and_line(
    source, edit, error, file, values, line
):
    edit(source, file, spoil(10, **values))
    message = error()
    assert file in message
    assert line in message
    assert next(iter(values.values())) in message


@pytest.mark.parametrize(
    ("file", "values", "said"),
    [
        (LOG, {"user_id": -5}, "`user_id` must not be negative. Received: -5"),
        (VIDEOS, {"video_id": -2}, "`video_id` must not be negative. Received: -2"),
        (LOG, {"video_id": ""}, "empty value in column `video_id`"),
        (LOG, {"is_like": 2}, "`is_like` must hold 0 or 1. Received: 2"),
        (LOG, {"date": 20220231}, "`date` must be a day .* Received: 20220231"),
        (VIDEOS, {"tag": "3,music"}, "`tag` .* Received: '3,music'"),
    ],
)
def test_an_impossible_value_is_named(source, edit, error, file, values, said):
    edit(source, file, spoil(10, **values))
    message = error()
    assert re.search(said, message)
    assert "tag" in values or file in message


def test_a_line_with_too_many_fields_is_refused(source, error):
    with (source / USERS).open("a") as lines:
        lines.write("1,2,3\n")
    message = error()
    assert USERS in message
    assert "Expected 31 columns, got 3" in message


@pytest.mark.parametrize("keep", [0, 1000])
def test_a_truncated_file_is_refused(source, error, keep):
    (source / LOG).write_bytes((source / LOG).read_bytes()[:keep])
    assert LOG in error()


def test_a_file_without_rows_is_refused(source, error):
    header = (source / USERS).read_text().splitlines()[0]
    (source / USERS).write_text(header + "\n")
    message = error()
    assert USERS in message
    assert "no rows" in message


def test_two_days_are_too_few(source, edit, error):
    edit(
        source,
        "log_*",
        lambda number, row: row.update(date=20220425 + number % 2),
    )
    message = error()
    assert "at least 3 dates" in message
    assert "[20220425, 20220426]" in message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"test_date": 20220430},
            "`test_date` must be a date of the logs, 20220425 to 20220429. "
            "Received: 20220430",
        ),
        ({"validation_date": 20220424}, "`validation_date` must be a date"),
        ({"validation_date": 20220429}, "`validation_date` must be earlier"),
        ({"test_date": 20220425}, "`test_date` must have a day before it"),
        ({"test_date": 20220426}, "no day is left to train on"),
        ({"first_date": 20220428}, "no day is left to train on"),
        ({"history_length": 0}, "`history_length` must be at least 1. Received: 0"),
        ({"smoothing": -1.0}, "`smoothing` must not be negative. Received: -1.0"),
        ({"layout": "columns"}, "layout"),
        ({"shards": 0}, "shards"),
    ],
)
def test_arguments_are_checked(error, arguments, said):
    assert said in error(**arguments)


@pytest.mark.parametrize("kind", ["folder", "file", "source"])
def test_what_was_not_prepared_is_never_replaced(source, tmp_path, kind):
    out = source if kind == "source" else tmp_path / "mine"
    if kind == "folder":
        out.mkdir()
        (out / "notes.txt").write_text("mine")
    if kind == "file":
        out.write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(HomeError, match="holds something else"):
        prepare(source, out)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_leaves_nothing(source, error, limited_files):
    with limited_files(2**14):
        assert "cannot be written" in error()


@pytest.mark.parametrize(
    ("file", "column", "value"),
    [
        (VIDEOS, "author_id", "12.5"),
        (VIDEOS, "author_id", "abc"),
        (VIDEOS, "music_id", str(2**70)),
        (VIDEOS, "music_type", str(2**40)),
        (VIDEOS, "tag", str(2**40)),
        (USERS, "onehot_feat3", "1.5"),
        (LOG, "tab", str(2**40)),
        (LOG, "hourmin", "9999"),
    ],
)
def test_a_whole_number_that_is_none_or_too_large_is_told(
    source, error, edit, file, column, value
):
    edit(source, file, spoil(3, **{column: value}))
    message = error()
    assert f"`{column}`" in message
    assert value in message
