"""HoME (Hierarchy of Multi-Gate Experts) for TensorFlow, Keras and TFRS."""

__version__ = "0.1.0"
