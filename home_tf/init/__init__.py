"""Drafting a first configuration from files, for the user to edit."""

from home_tf.extras import extra

with extra("pipeline"):
    from home_tf.init.draft import Draft as Draft
    from home_tf.init.init import init as init
