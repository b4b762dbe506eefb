"""Several multi-layer perceptrons of the same shape, side by side."""

from collections.abc import Sequence
from copy import copy

from home_tf.backend import keras
from home_tf.layers import fused
from home_tf.layers.initialization import SideBySide, derive_initializer
from home_tf.layers.layer import check_positive, check_units
from home_tf.types import Initializer, Tensor, Weight


class ParallelMLPs:
    """MLPs of the same shape, with ReLU after every layer but the last.

    Private to the package. This is not a layer: experts, gates and towers each own one,
    and its weights belong to the layer that owns it.

    Args:
        num_mlps: Number of MLPs.
        units: Widths of the layers of each; the last is the output's.
        use_last_bias: Whether the last layer has a bias.
        last_bias_initializer: Initialiser of that bias, of all MLPs.
        kernel_initializer: Initialiser of one MLP's kernels, each with its own values.

    Attributes:
        kernels: A kernel for each depth, `(width, num_mlps * units)`: the columns of
            MLP `i` begin at `i * units`.
        biases: The biases, `(num_mlps * units,)`.
    """

    def __init__(
        self,
        num_mlps: int,
        units: Sequence[int],
        *,
        use_last_bias: bool = True,
        last_bias_initializer: Initializer = "zeros",
        kernel_initializer: Initializer = "glorot_uniform",
    ) -> None:
        self.num_mlps = check_positive("num_mlps", num_mlps)
        self.units = check_units("units", units, at_least=1)
        self.use_last_bias = use_last_bias
        self.last_bias_initializer = last_bias_initializer
        self.kernel_initializer = kernel_initializer
        self.kernels: list[Weight] = []
        self.biases: list[Weight] = []

    def build(self, owner: keras.layers.Layer, width: int) -> None:
        """Creates the weights, `kernel_0`, `bias_0`, ..., for inputs of a width."""
        self.kernels, self.biases = [], []
        for depth, units in enumerate(self.units):
            columns, last = self.num_mlps * units, depth == len(self.units) - 1
            name = f"kernel_{depth}"
            initializer = derive_initializer(self.kernel_initializer, name)
            self.kernels.append(
                owner.add_weight(
                    name=name,
                    shape=(width, columns),
                    initializer=SideBySide(initializer, self.num_mlps),
                )
            )
            if self.use_last_bias or not last:
                self.biases.append(
                    owner.add_weight(
                        name=f"bias_{depth}",
                        shape=(columns,),
                        initializer=self.last_bias_initializer if last else "zeros",
                    )
                )
            width = units

    @property
    def first(self) -> fused.LinearMap:
        """The first layer of all MLPs, which reads the input."""
        return fused.first_map(self.kernels, self.biases)

    def with_weights(
        self, kernels: list[Weight], biases: list[Weight]
    ) -> "ParallelMLPs":
        """The same MLPs with other weights."""
        other = copy(self)
        other.kernels, other.biases = kernels, biases
        return other

    def __call__(
        self, inputs: Tensor | list[Tensor], readers: Sequence[int] = ()
    ) -> Tensor:
        """Computes all MLPs.

        Args:
            inputs: `(batch, features)`, read by all MLPs; or a list of such tensors.
            readers: How many MLPs read each input of a list, in the order of the MLPs;
                by default one.

        Returns:
            `(batch, num_mlps * units[-1])`.
        """
        if not isinstance(inputs, (list, tuple)):
            inputs, readers = [inputs], [self.num_mlps]
        readers = readers or [1] * len(inputs)
        return fused.parallel_mlps(inputs, readers, self.kernels, self.biases)
