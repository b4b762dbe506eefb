"""Predictions for many rows at once, from files to Parquet."""

from home_tf.extras import extra

with extra("pipeline"):
    from home_tf.predict.predict import predict as predict
