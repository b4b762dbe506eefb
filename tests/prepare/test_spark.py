"""What is prepared on Spark equals what DuckDB prepares."""

import json

import numpy as np
import pytest
from support.kuairand import kuairand_config
from support.processes import run_python
from support.shop import make_log, shop_config, write_shop

from home_tf.config import dump_config, override_config
from home_tf.data import RecordSchema
from home_tf.errors import HomeError
from home_tf.lab.synthetic import generate
from home_tf.prepare import prepare

pytest.importorskip("pyspark", reason="PySpark is not installed here")

# PySpark 4.0 calls pandas with what pandas 3 deprecates, and leaves sockets open.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
    pytest.mark.filterwarnings("ignore:The 'future.infer_string' option"),
]

# Values whose SQL means something else in Spark, or nothing.
SQL = {
    "weekday": "isodow(seen_at)",
    "sunday_first": "dayofweek(seen_at)",
    "month": "CAST(strftime(seen_at, '%Y%m') AS INTEGER)",
    "letters": "list_filter(terms, lambda term: term <> 't0')",
    "half": "date_part('hour', seen_at)::INTEGER // 2",
}


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    from support.spark import spark_session

    with spark_session(tmp_path_factory.mktemp("java") / "home") as session:
        yield session


@pytest.fixture
def shop(tmp_path):
    write_shop(tmp_path / "shop")
    return tmp_path / "shop"


def assert_same(read_split, one, other):
    for split in ("train", "validation", "test"):
        mine, theirs = (sorted_columns(read_split(f, split)) for f in (one, other))
        assert mine.keys() == theirs.keys()
        for name, values in mine.items():
            if values.dtype == np.float32:
                np.testing.assert_allclose(theirs[name], values, 1e-6, err_msg=name)
            else:
                np.testing.assert_array_equal(theirs[name], values, name)
    vocabularies = sorted(file.name for file in (one / "vocabularies").iterdir())
    for name in vocabularies:
        texts = [
            (folder / "vocabularies" / name).read_text() for folder in (one, other)
        ]
        assert texts[0] == texts[1], name
    mine, theirs = (
        json.loads((f / "statistics.json").read_text()) for f in (one, other)
    )
    assert mine.keys() == theirs.keys()
    for name, figures in mine.items():
        for key, value in figures.items():
            np.testing.assert_allclose(theirs[name][key], value, 1e-9, err_msg=name)


def sorted_columns(columns):
    """Rows in an order that does not depend on shards, nor on rounding."""
    exact = [v for v in columns.values() if v.dtype != np.float32]
    flat = [v if v.ndim == 1 else v[:, i] for v in exact for i in range(v[:1].size)]
    keys = [np.asarray(v.astype(str)) for v in flat]
    rounded = [np.round(v, 3) for v in columns.values() if v.dtype == np.float32]
    order = np.lexsort([np.nan_to_num(v, nan=-1) for v in rounded] + keys)
    return {name: values[order] for name, values in columns.items()}


def write_config(file):
    # TFRS is not installed here.
    dump_config(override_config(shop_config(), {"training.framework": "keras"}), file)


@pytest.mark.parametrize(
    "period", ["day", pytest.param("hour", marks=pytest.mark.slow)]
)
def test_both_engines_prepare_the_same(shop, tmp_path, spark, read_split, period):
    config = shop_config(period=period, columns=SQL)
    made = prepare(shop, config, tmp_path / "one")
    other = prepare(shop, config, tmp_path / "other", engine=spark, shards=2)
    assert_same(read_split, tmp_path / "one", tmp_path / "other")
    for split, part in made.splits.items():
        assert other.splits[split].rows == part.rows
        assert len(other.splits[split].files) == 2
    left = {file.name for file in (tmp_path / "other").iterdir()}
    assert left == {
        *("schema.json", "statistics.json", "vocabularies"),
        *(file.name for part in other.splits.values() for file in part.files),
    }


@pytest.mark.slow
def test_both_engines_prepare_the_same_of_csv(tmp_path, spark, read_split):
    logs = tmp_path / "logs"
    generate(logs, users=60, videos=40, days=5, rows=1500)
    prepare(logs, kuairand_config(), tmp_path / "one")
    prepare(logs, kuairand_config(), tmp_path / "other", engine=spark, shards=2)
    assert_same(read_split, tmp_path / "one", tmp_path / "other")


@pytest.mark.slow
@pytest.mark.parametrize("split", [{"by": "shares"}, {"by": "time"}])
def test_splits_are_the_same(shop, tmp_path, spark, read_split, split):
    if split["by"] == "time":
        split |= {"validation": "2026-03-06 12:00", "test": "2026-03-08"}
    config = shop_config(split=split)
    prepare(shop, config, tmp_path / "one")
    prepare(shop, config, tmp_path / "other", engine=spark, shards=1)
    assert_same(read_split, tmp_path / "one", tmp_path / "other")


@pytest.mark.slow
def test_the_log_may_be_a_table_of_the_session(shop, tmp_path, spark, read_split):
    import ibis

    spark.read.parquet(str(shop / "views_*.parquet")).createOrReplaceTempView("views")
    table = ibis.pyspark.connect(spark).table("views")
    prepare(shop, shop_config(), tmp_path / "one")
    for name, log in {"spark": table, "pandas": make_log()}.items():
        out = tmp_path / name
        prepare(log, shop_config(), out, folder=shop, engine=spark, shards=1)
        assert_same(read_split, tmp_path / "one", out)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"where": "brnd = 1"}, '"brnd" not found'),
        ({"time": "visitor"}, 'invalid timestamp field format: "v'),
        (
            {"columns": {"weekday": "row_number() OVER ()"}},
            "on Spark, an SQL expression must not use other rows. Received: "
            "'row_number()",
        ),
        (
            {"columns": {"weekday": "1", "cart": "5"}},
            "`cart` is the label of a task and must hold",
        ),
    ],
)
def test_what_is_wrong_is_told_in_a_line(shop, tmp_path, spark, data, said):
    with pytest.raises(HomeError) as raised:
        prepare(shop, shop_config(**data), tmp_path / "out", engine=spark)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_a_failure_on_an_executor_is_told_in_a_line(shop, tmp_path, spark):
    config = shop_config(columns={"weekday": "CAST(visitor AS INTEGER)"})
    with pytest.raises(HomeError, match="Could not convert string 'v") as raised:
        prepare(shop, config, tmp_path / "out", engine=spark)
    assert "\n" not in str(raised.value)


def test_files_of_parquet_that_are_damaged_are_named(shop, tmp_path, spark):
    file = shop / "views_0.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(HomeError, match=r"data\.log") as raised:
        prepare(shop, shop_config(), tmp_path / "out", engine=spark)
    assert "\n" not in str(raised.value)


def test_without_java_it_is_told_what_to_install(shop, tmp_path):
    write_config(tmp_path / "shop.yaml")
    arguments = ["prepare", "--engine", "spark", "--config", tmp_path / "shop.yaml"]
    arguments += ["--source", shop, "--out", tmp_path / "out"]
    done = run_python("-m", "home_tf", *arguments, PATH="", JAVA_HOME="")
    assert done.returncode == 2
    assert "Spark cannot start (there is no `java`" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_runs_on_spark(shop, tmp_path, spark):
    write_config(tmp_path / "shop.yaml")
    arguments = ["prepare", "--engine", "spark", "--master", "local[1]", "--shards", 1]
    arguments += ["--config", tmp_path / "shop.yaml", "--source", shop]
    done = run_python("-m", "home_tf", *arguments, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "rows: train" in done.stdout
    assert RecordSchema.load(tmp_path / "out").splits["test"].rows > 0
