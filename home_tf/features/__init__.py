"""From record columns to the network's input: preprocessing, then embedding."""

from home_tf.features.feature_embedding import EmbeddedFeature as EmbeddedFeature
from home_tf.features.feature_embedding import EmbeddingTable as EmbeddingTable
from home_tf.features.feature_embedding import FeatureEmbedding as FeatureEmbedding
from home_tf.features.preprocessor import Preprocessor as Preprocessor
