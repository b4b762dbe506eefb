"""The command line, `home-tf`: one module per command, and no logic of its own.

TensorFlow and Keras are imported inside the commands: the framework in the
configuration decides which Keras is used, and that must be set before the import.
"""
