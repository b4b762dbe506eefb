"""Exact offline metrics in NumPy: AUC, GAUC, log loss, calibration and intervals."""

from home_tf.evaluation.bootstrap import bootstrap_over_groups as bootstrap_over_groups
from home_tf.evaluation.bootstrap import bootstrap_values as bootstrap_values
from home_tf.evaluation.bootstrap import percentile_interval as percentile_interval
from home_tf.evaluation.calibrators import Calibrator as Calibrator
from home_tf.evaluation.calibrators import fit_calibrators as fit_calibrators
from home_tf.evaluation.errors_of_numbers import (
    mean_absolute_error as mean_absolute_error,
)
from home_tf.evaluation.errors_of_numbers import (
    root_mean_squared_error as root_mean_squared_error,
)
from home_tf.evaluation.inputs import valid_labels as valid_labels
from home_tf.evaluation.mean_of_defined import mean_of_defined as mean_of_defined
from home_tf.evaluation.pointwise import calibration as calibration
from home_tf.evaluation.pointwise import calibration_curve as calibration_curve
from home_tf.evaluation.pointwise import log_loss as log_loss
from home_tf.evaluation.proportions import newcombe_interval as newcombe_interval
from home_tf.evaluation.proportions import wilson_interval as wilson_interval
from home_tf.evaluation.ranking import auc as auc
from home_tf.evaluation.ranking import gauc as gauc
from home_tf.evaluation.ranking import per_group_auc as per_group_auc
from home_tf.evaluation.report import evaluate_tasks as evaluate_tasks
