"""Faults of CSV files: one line with the file, its line, and what to do."""

import gzip

import pytest

from home_tf.errors import HomeError
from home_tf.prepare import prepare

CONFIG = """
data:
  log: log_*.csv*
  columns: {{{age}bought: outcome = 'yes'}}
{more}
features:
  age: {{type: numeric, nullable: {nullable}}}
  job: {{type: categorical, width: 4}}
tasks:
  bought: {{group: shop}}
"""
HEADER = "age,job,outcome,seen"


def line(number):
    outcome = "yes" if number % 4 else "no"
    return f"{number},j{number % 3},{outcome},2024-01-{1 + number % 20:02} 10:00:00"


@pytest.fixture
def run(tmp_path):
    """Prepares two files of 30,000 rows, some lines of the second exchanged."""

    def run(
        exchanged=None,
        *,
        header=HEADER,
        more="",
        packed=False,
        age="",
        nullable="false",
    ):
        config = CONFIG.format(more=more, age=age, nullable=nullable)
        (tmp_path / "config.yaml").write_text(config)
        lines = [header, *map(line, range(30_000))]
        (tmp_path / "log_1.csv").write_text("\n".join(lines) + "\n")
        for number, text in (exchanged or {}).items():
            lines[number - 1] = text
        text = "\n".join(lines) + "\n"
        if packed:
            (tmp_path / "log_2.csv.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (tmp_path / "log_2.csv").write_text(text)
        return prepare(None, tmp_path / "config.yaml", tmp_path / "out")

    return run


def message(run, *arguments, **options):
    with pytest.raises(HomeError) as raised:
        run(*arguments, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_without_faults_all_rows_are_read(run):
    assert sum(split.rows for split in run().splits.values()) == 60_000


@pytest.mark.parametrize("shown", ["age", "Age"])
def test_a_header_names_a_column_twice(run, tmp_path, shown):
    assert message(run, header=f"age,job,outcome,{shown}") == (
        f"{tmp_path}/log_1.csv: the header names `{shown}` twice (upper and lower case "
        "are the same). Give each column its own name"
    )


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("place", [102, 29_002])
@pytest.mark.parametrize("cell", ["abc", "n/a"])
def test_one_odd_cell_among_numbers(run, tmp_path, cell, place, packed):
    """Whether or not DuckDB sees the cell when it guesses the type."""
    found = message(run, {place: f"{cell},j,yes,2024-01-01 10:00:00"}, packed=packed)
    file = tmp_path / ("log_2.csv.gz" if packed else "log_2.csv")
    assert found == (
        f"{file}, line {place}: `age` must be a number. Received: '{cell}'. Mend the "
        "cell, or make it missing by `data.columns: {age: TRY_CAST(age AS DOUBLE)}`, "
        "with `data.types: {age: VARCHAR}`"
    )


def test_what_the_message_advises_helps(run):
    odd = {102: "n/a,j,yes,2024-01-01 10:00:00", 29_002: "x,j,no,2024-01-01 10:00:00"}
    more = "  types: {age: VARCHAR}"
    made = run(odd, more=more, age="age: TRY_CAST(age AS DOUBLE), ", nullable="true")
    assert sum(split.rows for split in made.splits.values()) == 60_000


@pytest.mark.parametrize("place", [102, 29_002])
def test_a_time_that_is_none(run, tmp_path, place):
    bad = {place: "1,j,yes,2024-13-02 10:00:00"}
    assert message(run, bad, more="  time: seen") == (
        f"{tmp_path}/log_2.csv, line {place}: `seen` must be a time. Received: "
        "'2024-13-02 10:00:00'. Mend the cell, or make it missing by `data.columns: "
        "{seen: TRY_CAST(seen AS TIMESTAMP)}`, with `data.types: {seen: VARCHAR}`"
    )


@pytest.mark.parametrize("place", [102, 29_002])
@pytest.mark.parametrize("given", ["BIGINT", "INTEGER"])
def test_a_fraction_is_not_rounded_away(run, tmp_path, given, place):
    bad = {place: "1.5,j,yes,2024-01-01 10:00:00"}
    assert message(run, bad, more=f"  types: {{age: {given}}}") == (
        f"{tmp_path}/log_2.csv, line {place}: `age` must be a whole number. Received: "
        "'1.5'. Mend the cell, or read fractions by `data.types: {age: DOUBLE}`"
    )


def test_a_fraction_behind_the_guess_is_not_rounded_either(run, tmp_path):
    found = message(run, {29_002: "1.5,j,yes,2024-01-01 10:00:00"})
    assert found.startswith(f"{tmp_path}/log_2.csv, line 29002: `age` must be a whole")


def test_a_number_beyond_its_type(run, tmp_path):
    bad = {7: "3000000000,j,yes,2024-01-01 10:00:00"}
    assert message(run, bad, more="  types: {age: INTEGER}") == (
        f"{tmp_path}/log_2.csv, line 7: 3000000000 is beyond the type of column `age`. "
        "Give it a larger one by `data.types: {age: BIGINT}`"
    )


def test_a_word_in_a_column_of_whole_numbers(run):
    """Its jobs are j0, j1 and j2, none of which is a number."""
    found = message(run, more="  types: {job: BIGINT}")
    assert "does not fit the type of column `job`. Mend the cell, or read" in found
    assert found.endswith("the column as text by `data.types: {job: VARCHAR}`")


def test_a_number_without_fraction_is_whole(run):
    made = run({102: "2.0,j,yes,2024-01-01 10:00:00"}, more="  types: {age: BIGINT}")
    assert sum(split.rows for split in made.splits.values()) == 60_000


def test_large_whole_numbers_stay_exact(tmp_path, read_split):
    values = [2**63 - 1, -(2**63), 2**53 + 1, 0]
    lines = [f"{value},{n % 2}" for n, value in enumerate(values * 50)]
    (tmp_path / "log.csv").write_text("\n".join(["id,y", *lines]) + "\n")
    (tmp_path / "config.yaml").write_text(
        "data:\n  log: log.csv\nfeatures:\n  id: {type: categorical, width: 4}\n"
        "tasks:\n  y: {group: shop}\n"
    )
    prepare(None, tmp_path / "config.yaml", tmp_path / "out")
    assert set(read_split(tmp_path / "out", "train")["id"].tolist()) == set(values)
