"""Training and evaluation of the model that a configuration describes."""

from home_tf.extras import extra

with extra("pipeline"):
    from home_tf.training.evaluate import evaluate_run as evaluate_run
    from home_tf.training.experiment import Experiment as Experiment
    from home_tf.training.ranking_dataset import ranking_dataset as ranking_dataset
    from home_tf.training.train import train as train
