"""Predictions on Spark equal those of DuckDB."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.small_config import SMALL_CONFIG

from home_tf.config import load_config
from home_tf.errors import HomeError
from home_tf.prepare import prepare

pytest.importorskip("pyspark", reason="PySpark is not installed here")

# PySpark 4.0 calls pandas with what pandas 3 deprecates, and leaves sockets open.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
    pytest.mark.filterwarnings("ignore:The 'future.infer_string' option"),
]


@pytest.fixture(scope="module")
def model_and_rows(logs, tmp_path_factory):
    """A SavedModel, and a folder with files that it can predict."""
    from home_tf.data import DatasetDirectory
    from home_tf.export import export_for_predictions
    from home_tf.training import train

    folder = tmp_path_factory.mktemp("predict-spark")
    (folder / "config.yaml").write_text(SMALL_CONFIG)
    config = load_config(
        folder / "config.yaml", {"training.framework": "keras", "training.epochs": 1}
    )
    prepare(logs, config, folder / "records", shards=2)
    run = train(config, folder / "records", folder / "run")
    export_for_predictions(run, folder / "model")
    rows = folder / "rows"
    rows.mkdir()
    data = DatasetDirectory(folder / "records").read("test", batch_size=100)
    for number, batch in enumerate(data.take(3).as_numpy_iterator()):
        columns = {
            name: [[v for v in row if v != -1] for row in values.tolist()]
            if values.ndim == 2
            else [value.decode() for value in values]
            if values.dtype == object
            else values
            for name, values in batch.items()
        }
        key = [f"{number}-{row}" for row in range(len(batch["user_id"]))]
        pq.write_table(pa.table({"key": key, **columns}), rows / f"{number}.parquet")
    return folder / "model", rows


def read(folder):
    files = folder.glob("part-*.parquet")
    return pa.concat_tables([pq.read_table(file) for file in files]).sort_by("key")


def test_the_predictions_are_the_same(model_and_rows, tmp_path):
    from support.spark import spark_session

    from home_tf.predict import predict

    model, rows = model_and_rows
    given = {"export": model, "columns": ["key", "user_id", "tag"]}
    predict(f"{rows}/*.parquet", tmp_path / "here", **given)
    with spark_session(tmp_path / "java" / "home") as spark:
        done = predict(f"{rows}/*.parquet", tmp_path / "spark", **given, engine=spark)
        broken = pq.read_table(rows / "0.parquet").drop_columns(["user_is_click_rate"])
        nothing = pa.nulls(broken.num_rows, pa.float32())
        broken = broken.append_column("user_is_click_rate", nothing)
        with pytest.raises(HomeError, match=r"user_is_click_rate.*finite numbers"):
            predict(broken, tmp_path / "broken", **given, engine=spark)
    mine, theirs = read(tmp_path / "here"), read(tmp_path / "spark")
    assert done == mine.num_rows == 300
    assert mine.column_names == theirs.column_names
    for name in mine.column_names:
        if name.startswith("predicted_"):
            np.testing.assert_allclose(theirs[name], mine[name], atol=1e-6)
        else:
            assert theirs[name].to_pylist() == mine[name].to_pylist()
    assert (tmp_path / "spark" / "predictions.json").is_file()
    assert not (tmp_path / "broken" / "predictions.json").exists()
