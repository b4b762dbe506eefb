"""What `home-tf describe` prints, word for word, at 80 columns."""

import json

import numpy as np
import pytest
from support.commands import commands_here

from home_tf.backend import IS_LEGACY
from home_tf.data import Column, RecordWriter

pytestmark = pytest.mark.skipif(
    IS_LEGACY, reason="the command line picks its Keras itself: once is enough"
)

LONG = "a_history_with_a_long_name_profile_enter_rate"


@pytest.fixture
def run(monkeypatch, capfd):
    yield from commands_here(monkeypatch, capfd)


def lines_of(done):
    return [line.rstrip() for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("described") / "data"
    columns = {
        "user": Column("int64"),
        "city": Column("string"),
        LONG: Column("float32"),
        "click": Column("float32"),
        "buy": Column("float32"),
    }
    with RecordWriter(folder, columns, shards=1, nullable=[LONG, "click"]) as out:
        for split, rows in (("train", 1_000), ("validation", 200), ("test", 200)):
            numbers = (np.arange(rows, dtype=np.float32) + 0.5) / rows
            click = (np.arange(rows) % 2).astype(np.float32)
            if split == "test":
                numbers[:120] = np.nan
                click = (np.arange(rows) % 4 == 0).astype(np.float32)
            out.write(
                split,
                {
                    "user": np.arange(rows) % 2 + (split == "test"),
                    "city": np.full(rows, "Rome", object),
                    LONG: numbers,
                    "click": click,
                    "buy": (np.arange(rows) % 10 == 0).astype(np.float32),
                },
            )
    (folder / "vocabularies").mkdir()
    (folder / "vocabularies" / "user.csv").write_text("value,count\n0,500\n1,500\n")
    (folder / "vocabularies" / "city.csv").write_text("value,count\nRome,1000\n")
    quantiles = [n / 100 for n in range(101)]
    (folder / "statistics.json").write_text(
        json.dumps({LONG: {"quantiles": quantiles}})
    )
    return folder


def test_labels(run, data):
    done = run("describe", "--data", data)
    assert done.returncode == 0, done.stderr
    # In the test rows a quarter clicks, not half, which is beyond chance. A tenth buys
    # in every split: 100 of the 1,000 training rows, and too few of the others.
    assert lines_of(done)[:8] == [
        "rows: train 1,000  validation 200  test 200",
        "labels: positives, and their share of the rows with a label",
        "",
        " label  missing       train   validation         test",
        f" {'─' * 52}",
        " click        0  500  50.0%   100  50.0%  ! 50 ↓25.0%",
        " buy          0  100  10.0%  ! 20  10.0%  ! 20  10.0%",
        "",
    ]
    assert max(map(len, lines_of(done))) <= 80
    assert lines_of(done)[-1] == "! needs attention: 5 columns"


def _index(before, after):
    """The population stability index of so many rows a bin, as it is printed."""
    rows, other_rows = sum(before), sum(after)
    p = (np.array(before) + 0.5) / (rows + len(before) / 2)
    q = (np.array(after) + 0.5) / (other_rows + len(after) / 2)
    chance = (len(before) - 1) * (1 / rows + 1 / other_rows)
    return f"{((q - p) * np.log(q / p)).sum() - chance:.2f}"


def test_features_that_need_attention_come_first(run, data):
    lines = lines_of(run("describe", "--data", data))
    place = next(n for n, line in enumerate(lines) if line.startswith(" feature"))
    rows = [" ".join(line.split()) for line in lines[place + 2 : place + 5]]
    # The 80 numbers that are there are the upper four tenths. Of the test users half
    # are known, and none of them is 0.
    number = _index([*[100] * 10, 0], [*[0] * 6, *[20] * 4, 120])
    user = _index([500, 500, 0], [0, 100, 100])
    assert rows == [
        f"a_history_wit…ile_enter_rate number ! 60.0% ! {number}",
        f"user id 2 0 50.0% ! {user}",
        "city id ! 1 0 0 0.00",
    ]


def test_the_report_is_a_folder(run, data, tmp_path):
    done = run("describe", "--data", data, "--out", tmp_path / "report")
    assert done.returncode == 0
    assert lines_of(done)[-1] == f"wrote {tmp_path / 'report' / 'report.html'}"
    assert (tmp_path / "report" / "description.json").is_file()
    wrong = run("describe", "--data", data, "--out", tmp_path / "report.html")
    assert wrong.returncode == 2
    assert wrong.stderr == (
        "error: `--out` must be a folder; report.html is written into it. Received: "
        f"{tmp_path / 'report.html'}\n"
    )


def test_no_dataset_directory_is_one_line(run, tmp_path):
    done = run("describe", "--data", tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {tmp_path}: the directory is empty; run `home-tf prepare` to write "
        "it\n"
    )
