"""Features: from record columns to the ranking input."""

from home_tf.features.categorical_feature import (
    CategoricalFeature as CategoricalFeature,
)
from home_tf.features.feature import Feature as Feature
from home_tf.features.feature import check_references as check_references
from home_tf.features.feature_embedding import EmbeddedFeature as EmbeddedFeature
from home_tf.features.feature_embedding import EmbeddingTable as EmbeddingTable
from home_tf.features.feature_embedding import FeatureEmbedding as FeatureEmbedding
from home_tf.features.numeric_feature import NumericFeature as NumericFeature
from home_tf.features.preprocessor import Preprocessor as Preprocessor
