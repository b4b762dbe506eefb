"""Preparing logs: from logs to records."""

from home_tf.extras import extra

with extra("pipeline"):
    from home_tf.prepare.list_days import list_days as list_days
    from home_tf.prepare.prepare import prepare as prepare
    from home_tf.prepare.prepare_history import prepare_history as prepare_history
