"""The command line, `home-tf`, one module a command. Nothing that a library could do.

TensorFlow and Keras are imported inside the commands: the framework that a
configuration asks for decides which Keras, and that must be said before the import.
"""
