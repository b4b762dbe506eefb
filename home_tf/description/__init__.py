"""Description of a dataset directory: counts, drift between splits, and a report."""

from home_tf.description.concerns import find_concerns as find_concerns
from home_tf.description.describe import describe as describe
from home_tf.description.description import Description as Description
from home_tf.description.description import Feature as Feature
from home_tf.description.description import LabelInSplit as LabelInSplit
from home_tf.description.drift import (
    population_stability_index as population_stability_index,
)
