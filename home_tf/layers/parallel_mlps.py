"""Several multi-layer perceptrons of one shape, side by side."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import ops
from home_tf.layers.initialization import SideBySide, split_initializer
from home_tf.layers.layer import Layer, check_positive, check_units


class ParallelMLPs(Layer):
    """MLPs of one shape, with ReLU between their layers and nothing after the last.

    Private to the package: experts, gates and towers own one each and rebuild it
    themselves. All MLPs that read the same input are one matrix product; the others are
    plain products on slices, which on a CPU are faster than one batched product.

    Args:
        num_mlps: Number of MLPs.
        units: Widths of the layers of each; the last is the output's.
        use_last_bias: Whether the last layer has a bias.
        last_bias_initializer: Initialiser of that bias, of all MLPs.
        kernel_initializer: Initialiser of one MLP's kernels, each with its own values.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: List of tensors `(batch, features)`.
        readers: How many MLPs read each of the inputs, in the order of the MLPs.
        first: What `first_layers` gives for the one input, or None.

    Output shape:
        `(batch, num_mlps * units[-1])`: the columns of MLP `i` begin at
        `i * units[-1]`, as do those of the kernels and biases.
    """

    def __init__(
        self,
        num_mlps: int,
        units: Sequence[int],
        *,
        use_last_bias: bool = True,
        last_bias_initializer: Any = "zeros",
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_mlps = check_positive("num_mlps", num_mlps)
        self.units = check_units("units", units, at_least=1)
        self.use_last_bias = use_last_bias
        self.last_bias_initializer = last_bias_initializer
        self._initializers = split_initializer(kernel_initializer, len(self.units))

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the weights for inputs of shape `(batch, features)`."""
        width = self._fix_width(input_shape)
        self.kernels, self.biases = [], []
        for depth, units in enumerate(self.units):
            columns = self.num_mlps * units
            kernel = self.add_weight(
                name=f"kernel_{depth}",
                shape=(width, columns),
                initializer=SideBySide(self._initializers[depth], self.num_mlps),
            )
            self.kernels.append(kernel)
            last = depth == len(self.units) - 1
            if self.use_last_bias or not last:
                bias = self.add_weight(
                    name=f"bias_{depth}",
                    shape=(columns,),
                    initializer=self.last_bias_initializer if last else "zeros",
                )
                self.biases.append(bias)
            width = units
        self.built = True

    def call(
        self, inputs: Sequence[Any], readers: Sequence[int], first: Any = None
    ) -> Any:
        """Computes all MLPs, side by side."""
        outputs = [first]
        if first is None:
            outputs = self._linear(list(inputs), readers, 0, self.units[0])
        for depth, units in enumerate(self.units[1:], start=1):
            outputs = [ops.relu(x) for x in outputs]
            outputs = self._one_each(outputs, readers, self.units[depth - 1])
            readers = [1] * self.num_mlps
            outputs = self._linear(outputs, readers, depth, units)
        return outputs[0] if len(outputs) == 1 else ops.concatenate(outputs, axis=-1)

    def _linear(
        self, inputs: list[Any], readers: Sequence[int], depth: int, units: int
    ) -> list[Any]:
        columns = [count * units for count in readers]
        kernels = split_columns(self.kernels[depth], columns)
        outputs = [ops.matmul(x, k) for x, k in zip(inputs, kernels, strict=True)]
        if depth == len(self.biases):
            return outputs
        biases = split_columns(self.biases[depth], columns)
        return [ops.add(x, bias) for x, bias in zip(outputs, biases, strict=True)]

    def _one_each(
        self, outputs: list[Any], readers: Sequence[int], units: int
    ) -> list[Any]:
        return [
            one
            for x, count in zip(outputs, readers, strict=True)
            for one in split_columns(x, [units] * count)
        ]


def first_layers(layers: Sequence[ParallelMLPs], inputs: Any) -> list[Any]:
    """The first layers of several `ParallelMLPs` on one input, by one product.

    A product of few columns takes longer than the same columns in a wider one, and
    gives a gradient of its own for the whole input.

    Args:
        layers: Whose MLPs all read the input, and have biases in their first layer.
        inputs: `(batch, features)`.

    Returns:
        For each of the layers `(batch, num_mlps * units[0])`.
    """
    if not layers:
        return []
    if len(layers) == 1:
        (layer,) = layers
        return [ops.add(ops.matmul(inputs, layer.kernels[0]), layer.biases[0])]
    kernel = ops.concatenate([layer.kernels[0] for layer in layers], axis=-1)
    bias = ops.concatenate([layer.biases[0] for layer in layers], axis=-1)
    widths = [layer.num_mlps * layer.units[0] for layer in layers]
    return split_columns(ops.add(ops.matmul(inputs, kernel), bias), widths)


def split_columns(x: Any, widths: Sequence[int]) -> list[Any]:
    """Splits the last axis of a tensor or variable into parts of the given widths."""
    if len(widths) == 1:
        return [x]
    # Equal parts are one operation of the graph, others are several.
    where: int | list[int] = len(widths)
    if len(set(widths)) > 1:
        where = [sum(widths[: i + 1]) for i in range(len(widths) - 1)]
    parts: list[Any] = ops.split(ops.convert_to_tensor(x), where, axis=-1)
    return parts
