"""Merged products and operations: the only code that trades clarity for speed.

The layers read like their equations and call these functions. Each one has a plain
version of the same name in `fused.plain`, which the tests compare it with.
"""

from home_tf.layers.fused.batch_norm import batch_norm as batch_norm
from home_tf.layers.fused.batch_norm import fold_batch_norm as fold_batch_norm
from home_tf.layers.fused.constant_weights import (
    are_weights_constant as are_weights_constant,
)
from home_tf.layers.fused.constant_weights import constant_weights as constant_weights
from home_tf.layers.fused.feature_gates import feature_gates as feature_gates
from home_tf.layers.fused.feature_gates import num_down_parts as num_down_parts
from home_tf.layers.fused.level import FeatureGates as FeatureGates
from home_tf.layers.fused.level import GatedExperts as GatedExperts
from home_tf.layers.fused.level import Gates as Gates
from home_tf.layers.fused.level import Level as Level
from home_tf.layers.fused.level import level as level
from home_tf.layers.fused.mix import Term as Term
from home_tf.layers.fused.mix import mix as mix
from home_tf.layers.fused.parallel_mlps import first_map as first_map
from home_tf.layers.fused.parallel_mlps import parallel_mlps as parallel_mlps
from home_tf.layers.fused.shared_input import LinearMap as LinearMap
from home_tf.layers.fused.shared_input import SharedInput as SharedInput
from home_tf.layers.fused.shared_input import linear as linear
from home_tf.layers.fused.shared_input import share_input as share_input
from home_tf.layers.fused.shared_input import tensor_of as tensor_of
