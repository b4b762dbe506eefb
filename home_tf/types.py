"""Names for types that TensorFlow and the Kerases leave untyped.

To a type checker each is `Any`; to a reader it says what is expected.
"""

from typing import Any, TypeAlias

# A tensor of the backend, symbolic or not.
Tensor: TypeAlias = Any
# A shape as Keras passes it: a tuple of sizes, None where one is unknown; or a list or
# dict of such.
Shape: TypeAlias = Any
# A `keras.initializers.Initializer`, or the name of one.
Initializer: TypeAlias = Any
# A layer or model of the active Keras.
KerasLayer: TypeAlias = Any
# A Keras variable.
Weight: TypeAlias = Any
