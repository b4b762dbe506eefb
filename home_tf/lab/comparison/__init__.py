"""The comparison of architectures on real logs, with honest error bars."""

from home_tf.extras import extra

with extra("compare"):
    from home_tf.lab.comparison.changes import check_changes as check_changes
    from home_tf.lab.comparison.compare import compare as compare
    from home_tf.lab.comparison.compared_model import ComparedModel as ComparedModel
    from home_tf.lab.comparison.compared_model import compared_models as compared_models
