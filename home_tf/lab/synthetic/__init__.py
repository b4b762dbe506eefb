"""Synthetic logs in the layout of KuaiRand."""

from home_tf.lab.synthetic.generate import generate as generate
