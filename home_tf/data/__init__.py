"""Records: columns of fixed shape in sharded TFRecord files, written and read."""

from home_tf.data.read import find_corrupt_record as find_corrupt_record
from home_tf.data.read import read as read
from home_tf.data.record_writer import RecordWriter as RecordWriter
from home_tf.data.schema import Column as Column
from home_tf.data.schema import RecordFile as RecordFile
from home_tf.data.schema import RecordSchema as RecordSchema
from home_tf.data.schema import Split as Split
