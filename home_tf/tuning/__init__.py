"""Hyper-parameter search: spaces, trials, and training each trial."""

from home_tf.extras import extra

with extra("tune"):
    from home_tf.tuning.search import Search as Search
    from home_tf.tuning.search import Trial as Trial
    from home_tf.tuning.space import NETWORK_SPACE as NETWORK_SPACE
    from home_tf.tuning.space import Choices as Choices
    from home_tf.tuning.space import Range as Range
    from home_tf.tuning.space import Space as Space
    from home_tf.tuning.space import make_space as make_space
    from home_tf.tuning.tune import tune as tune
