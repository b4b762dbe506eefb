"""From files to a first configuration, which a person edits."""

from home_tf.extras import extra

with extra("pipeline"):
    from home_tf.init.draft import Draft as Draft
    from home_tf.init.init import init as init
