"""Exporting a run as a SavedModel for TF Serving."""

from home_tf.export.check_export import check_export as check_export
from home_tf.export.export_for_predictions import (
    export_for_predictions as export_for_predictions,
)
from home_tf.export.export_run import export_run as export_run
from home_tf.export.requests import Requests as Requests
from home_tf.export.serving_model import ServingModel as ServingModel
from home_tf.export.warmup import example_request as example_request
from home_tf.model_versions import Versions as Versions
