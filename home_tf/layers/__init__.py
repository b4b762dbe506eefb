"""The layers, each usable on its own in any Keras or TFRS model."""

from home_tf.layers.adatt import AdaTT as AdaTT
from home_tf.layers.cgc import CGC as CGC
from home_tf.layers.expert import Expert as Expert
from home_tf.layers.expert_bank import ExpertBank as ExpertBank
from home_tf.layers.expert_gate import ExpertGate as ExpertGate
from home_tf.layers.feature_gate import FeatureGate as FeatureGate
from home_tf.layers.home import HoME as HoME
from home_tf.layers.mmoe import MMoE as MMoE
from home_tf.layers.ple import PLE as PLE
from home_tf.layers.self_gate import SelfGate as SelfGate
from home_tf.layers.shared_bottom import SharedBottom as SharedBottom
from home_tf.layers.single_task import SingleTask as SingleTask
from home_tf.layers.task_towers import TaskTowers as TaskTowers
