"""The ranking network, and the model that trains it with `compile` and `fit`."""

from home_tf.models.ranking_model import RankingModel as RankingModel
from home_tf.models.ranking_network import RankingNetwork as RankingNetwork
