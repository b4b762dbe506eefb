"""Day-by-day training: each day first tests the model, and then trains it."""

from home_tf.extras import extra

with extra("report"):
    from home_tf.progressive.train_by_day import train_by_day as train_by_day
