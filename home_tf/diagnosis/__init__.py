"""Diagnosis of the experts and gates of a model: figures and verdicts."""

from home_tf.diagnosis.figures import Figures as Figures
from home_tf.diagnosis.inspection import Inspection as Inspection
from home_tf.diagnosis.inspection import Inspector as Inspector
from home_tf.diagnosis.inspection import inspect as inspect
from home_tf.diagnosis.monitor import ExpertMonitor as ExpertMonitor
from home_tf.diagnosis.verdicts import Verdict as Verdict
from home_tf.diagnosis.verdicts import judge as judge
