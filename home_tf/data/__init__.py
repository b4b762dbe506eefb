"""Records: columns of fixed shape in sharded TFRecord files, written and read."""

from home_tf.data.column_statistics import ColumnStatistics as ColumnStatistics
from home_tf.data.dataset_directory import DatasetDirectory as DatasetDirectory
from home_tf.data.record_writer import RecordWriter as RecordWriter
from home_tf.data.schema import Column as Column
from home_tf.data.schema import RecordFile as RecordFile
from home_tf.data.schema import RecordSchema as RecordSchema
from home_tf.data.schema import Split as Split
from home_tf.data.task import Task as Task
from home_tf.data.task_space import TaskSpace as TaskSpace
from home_tf.data.vocabulary import Vocabulary as Vocabulary
