"""The comparison of architectures on real logs, with honest error bars."""

from home_tf.comparison.compare import compare as compare
from home_tf.comparison.contender import Contender as Contender
from home_tf.comparison.contender import contenders as contenders
