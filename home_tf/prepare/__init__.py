"""From logs to records."""

from home_tf.extras import extra

with extra("pipeline"):
    from home_tf.prepare.prepare_kuairand import prepare as prepare
