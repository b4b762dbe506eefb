import gzip
import re

import pytest
from support.kuairand import kuairand_config

from home_tf.config import override_config
from home_tf.errors import HomeError
from home_tf.prepare import prepare

LOG = "log_standard_4_25_to_4_29_synthetic.csv.gz"
USERS = "user_features_synthetic.csv"
VIDEOS = "video_features_basic_synthetic.csv"


@pytest.fixture
def error(source, tmp_path):
    """The message of the error of preparing the source; nothing may be left behind."""

    def message(folder=source, *, split=None, types=None, **arguments):
        config = kuairand_config(**split or {})
        config = override_config(config, {"data.types": types or {}})
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(HomeError) as raised:
            prepare(folder, config, tmp_path / "out", **arguments)
        assert sorted(tmp_path.rglob("*")) == before
        assert "\n" not in str(raised.value)
        return str(raised.value)

    return message


def spoil(row_number, **values):
    return lambda number, row: row.update(values if number == row_number else {})


def without(column):
    return lambda _, row: row.pop(column)


def test_a_missing_folder_is_named(error, tmp_path):
    message = error(tmp_path / "nowhere")
    assert message == f"`source` must be a folder. Received: {tmp_path / 'nowhere'}"


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (LOG, "`data.log`: no file matches log_standard*.csv* in"),
        (USERS, "`data.tables.users.files`: no file matches user_features_*.csv*"),
        (VIDEOS, "`data.tables.videos.files`: no file matches video_features_basic"),
    ],
)
def test_a_missing_file_is_named(source, error, file, said):
    (source / file).unlink()
    assert said in error()


def test_a_file_that_is_there_twice_is_refused(source, error):
    plain = gzip.decompress((source / LOG).read_bytes())
    (source / LOG.removesuffix(".gz")).write_bytes(plain)
    assert "twice" in error()


@pytest.mark.parametrize(
    ("file", "column"),
    [(LOG, "is_like"), (USERS, "onehot_feat7"), (VIDEOS, "music_id")],
)
def test_a_missing_column_is_named_with_who_needs_it(source, edit, error, file, column):
    edit(source, file, without(column))
    message = error()
    assert f"needs `{column}`, which is not a column" in message
    assert message.startswith("feature `")
    assert "Close: " in message


@pytest.mark.parametrize(
    ("file", "column", "value", "kind"),
    [
        (LOG, "play_time_ms", "soon", "BIGINT"),
        (USERS, "register_days", "long", "BIGINT"),
        (VIDEOS, "upload_dt", "10 April", "DATE"),
    ],
)
def test_a_value_that_is_not_of_a_given_type_is_named_with_file_and_line(
    source, edit, error, file, column, value, kind
):
    edit(source, file, spoil(10, **{column: value}))
    message = error(types={column: kind})
    expected = f"{file}, line 12: {value!r} does not fit the type of column `{column}`"
    assert expected in message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "values", "said"),
    [
        (LOG, {"play_time_ms": "soon"}, "`data.columns.effective_view`: 'play_time_ms"),
        (LOG, {"is_like": 2}, "`is_like` is the label .* hold 0, 1 .* Received: 2"),
        (LOG, {"date": 20220231}, "Date out of range: 2022-2-31"),
        (LOG, {"video_id": "1.5"}, "`video_id` is read as ids .* Received: 1.5"),
        (VIDEOS, {"author_id": "12.5"}, "`author_id` is read as ids .* Received: 12.5"),
        (USERS, {"onehot_feat3": "1.5"}, "`onehot_feat3` .* Received: 1.5"),
        (VIDEOS, {"tag": "3,music"}, "Could not convert string 'music' to INT32"),
        (VIDEOS, {"tag": str(2**40)}, "Could not convert string '1099511627776'"),
        (USERS, {"user_id": 5}, "`data.tables.users`: user_id 5 is in 2 rows"),
    ],
)
def test_an_impossible_value_is_named(source, edit, error, file, values, said):
    edit(source, file, spoil(10, **values))
    assert re.search(said, error())


def test_ids_that_a_float_would_round_are_refused(source, edit, error):
    edit(source, VIDEOS, lambda n, row: row.update(author_id=f"{2**60 + n}.0"))
    assert "`author_id` is read as ids and must hold whole numbers, below 2^53" in (
        error()
    )


@pytest.mark.parametrize("keep", [0, 1000])
def test_a_truncated_file_is_refused(source, error, keep):
    (source / LOG).write_bytes((source / LOG).read_bytes()[:keep])
    assert LOG in error()


def test_a_file_without_rows_is_refused(source, error):
    header = (source / USERS).read_text().splitlines()[0]
    (source / USERS).write_text(header + "\n")
    message = error()
    assert message == "`data.tables.users`: user_features_*.csv* has no rows"


def test_two_days_are_too_few(source, edit, error):
    edit(
        source,
        "log_*",
        lambda number, row: row.update(date=20220425 + number % 2),
    )
    message = error()
    assert "at least 3 days" in message
    assert "[20220425, 20220426]" in message


@pytest.mark.slow
def test_a_split_without_a_test_day_needs_two(source, edit, error, tmp_path):
    made = prepare(source, kuairand_config(test="none"), tmp_path / "records")
    rows = {name: split.rows for name, split in made.splits.items()}
    whole = prepare(source, kuairand_config(), tmp_path / "with-test")
    # The day that would test validates, and the one before it trains.
    both = {name: split.rows for name, split in whole.splits.items()}
    assert rows == {
        "train": both["train"] + both["validation"],
        "validation": both["test"],
    }
    edit(source, "log_*", lambda number, row: row.update(date=20220425))
    message = error(split={"test": "none"})
    assert "at least 2 days, to train and to validate on" in message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("split", "said"),
    [
        (
            {"test": 20220430},
            "`data.split.test` must be a day of the log, 20220425 to 20220429. "
            "Received: 20220430",
        ),
        ({"validation": 20220424}, "`data.split.validation` must be a day of the log"),
        ({"validation": 20220429}, "`data.split.validation` must be earlier"),
        ({"validation": "soon"}, "`data.split.validation` must be a day"),
        ({"test": "2022-04-25"}, "`data.split.test` must have a day before it"),
        ({"test": 20220426}, "no day is left to train on"),
        ({"first": 20220428}, "no day is left to train on"),
        ({"test": "none", "first": 20220429}, "no day is left to train on"),
        ({"test": "none", "validation": 20220430}, "`data.split.validation` must be"),
    ],
)
def test_days_of_the_split_are_checked(error, split, said):
    assert said in error(split=split)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"layout": "columns"}, "layout"),
        ({"shards": 0}, "shards"),
        ({"seed": -1}, "`seed` must be at least 0. Received: -1"),
        ({"memory": "much"}, "`memory`: "),
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
    with pytest.raises(HomeError, match="contains something else"):
        prepare(source, kuairand_config(), out)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_leaves_nothing(source, error, limited_files):
    with limited_files(2**14):
        assert "File too large" in error()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"engine": "dask"},
            r"^`engine` must be duckdb, spark or a Spark session\.",
        ),
        ({"engine": 5}, r"^`engine` must be .* Received: 5$"),
        (
            {"master": "local[2]"},
            r"^`master` requires `engine` spark\. Received: 'loc",
        ),
        ({"memory": "much"}, "^`memory`: "),
    ],
)
def test_a_wrong_engine_is_told(source, tmp_path, given, said):
    with pytest.raises(HomeError, match=said):
        prepare(source, kuairand_config(), tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()
