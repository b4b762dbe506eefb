"""KuaiRand: a synthetic source in its layout, and its preparation into records."""

from home_tf.kuairand.generate import generate as generate
from home_tf.kuairand.prepare import prepare as prepare
