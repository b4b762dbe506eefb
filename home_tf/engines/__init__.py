"""The engines that read, count and join rows: DuckDB and Spark."""

from home_tf.engines.engine import PART as PART
from home_tf.engines.engine import ROW as ROW
from home_tf.engines.engine import SPLIT as SPLIT
from home_tf.engines.engine import SPLITS as SPLITS
from home_tf.engines.engine import Engine as Engine
from home_tf.engines.engine import Expression as Expression
from home_tf.engines.engine import Records as Records
from home_tf.engines.engine import Table as Table
from home_tf.engines.engine import first_row as first_row
from home_tf.engines.engine import is_parquet as is_parquet
from home_tf.engines.explain import engine_errors as engine_errors
from home_tf.engines.explain import explained as explained
from home_tf.engines.open_engine import open_engine as open_engine
from home_tf.engines.part_files import PartFiles as PartFiles
