"""Inputs, nodes, constants and weights of a graph in the making."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

# Of 2022: ONNX Runtime 1.15 (May 2023) and later were seen to read them.
OPSETS = {"": 17, "ai.onnx.ml": 3}
IR_VERSION = 8
MOST_BYTES = 2**31 - 1  # of a message of protobuf
BYTES_PER_NUMBER = 10  # at most, of an integer in a list
BYTES_PER_TEXT = 6  # at most, beside its characters


@dataclass(frozen=True)
class GraphInput:
    """An input of a graph.

    Attributes
    ----------
    name : str
        Of the input.
    type : str
        A name in ``onnx.TensorProto``.
    shape : tuple of str
        Names of its dimensions, all of them dynamic.
    """

    name: str
    type: str
    shape: tuple[str, ...]


class GraphBuilder:
    """Collects the parts of a graph; whatever an operation makes has a name of its own.

    Parameters
    ----------
    module : torch.nn.Module
        Its parameters and buffers are the weights, under the names of its ``state_dict``.
    inputs : sequence of GraphInput
        With distinct names.
    output : str
        Name of the only output, which no input has.

    Raises
    ------
    ImportError
        If onnx is not installed, naming the extra to install.
    """

    def __init__(self, module: nn.Module, inputs: Sequence[GraphInput], output: str) -> None:
        self._onnx = import_onnx()
        self._weights = {id(tensor): name for name, tensor in module.state_dict(keep_vars=True).items()}
        self._inputs = inputs
        self._output = output
        self._taken = {output, *(each.name for each in inputs)}
        self._nodes: list[Any] = []
        self._initializers: dict[Any, Any] = {}
        self._n_bytes = 0

    def op(self, kind: str, *inputs: str, name: str = "", domain: str = "", **attributes: Any) -> str:
        """Add a node with one output.

        Parameters
        ----------
        kind : str
            The operator.
        *inputs : str
            Names of tensors; empty for an optional one that is left out.
        name : str, default=""
            Of the node, which ONNX Runtime tells when it fails; default its output.
        domain : str, default=""
            Of the operator.
        **attributes
            Of the operator.

        Returns
        -------
        str
            Name of the output.
        """
        return self.ops(kind, *inputs, n_outputs=1, name=name, domain=domain, **attributes)[0]

    def ops(
        self, kind: str, *inputs: str, n_outputs: int, name: str = "", domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs.

        Parameters
        ----------
        kind, *inputs, name, domain, **attributes
            As for ``op``.
        n_outputs : int
            How many.

        Returns
        -------
        list of str
            Their names.
        """
        outputs = [self._unique(kind) for _ in range(n_outputs)]
        node = self._onnx.helper.make_node(
            kind, list(inputs), outputs, name=name or outputs[0], domain=domain, **attributes
        )
        self._nodes.append(node)
        return outputs

    def cast(self, values: str, to: str) -> str:
        """Add a conversion of type.

        Parameters
        ----------
        values : str
            Name of a tensor.
        to : str
            A name in ``onnx.TensorProto``.

        Returns
        -------
        str
            Name of the result.
        """
        return self.op("Cast", values, to=getattr(self._onnx.TensorProto, to))

    def constant(self, value: Any, dtype: type[np.generic]) -> str:
        """Add an array; an equal one only once.

        Parameters
        ----------
        value : array-like
            Of numbers.
        dtype : type
            Of NumPy.

        Returns
        -------
        str
            Its name.
        """
        array = np.asarray(value, dtype=dtype)
        return self._initializer((array.tobytes(), array.shape, array.dtype.str), "constant", array)

    def weight(self, tensor: Tensor) -> str:
        """Add a parameter or buffer of the module, as it is.

        Parameters
        ----------
        tensor : Tensor
            Of the module.

        Returns
        -------
        str
            Its name in ``state_dict``, unless an input has it.
        """
        return self._initializer(id(tensor), self._weights[id(tensor)], tensor.detach().cpu().numpy())

    def label_encoder(self, values: str, keys: Sequence[Any], ids: Sequence[int], default: int) -> str:
        """Add a look-up of values.

        Parameters
        ----------
        values : str
            Name of a tensor of text or int64.
        keys : sequence of bytes or int
            What may be in it; not empty.
        ids : sequence of int
            What each key becomes.
        default : int
            What all else becomes.

        Returns
        -------
        str
            Name of the ids.
        """
        is_text = isinstance(keys[0], bytes)
        self._count(len(keys) * (BYTES_PER_NUMBER + BYTES_PER_TEXT) + (sum(map(len, keys)) if is_text else 0))
        attributes: dict[str, Any] = {"keys_strings" if is_text else "keys_int64s": keys, "values_int64s": ids}
        return self.op("LabelEncoder", values, domain="ai.onnx.ml", default_int64=default, **attributes)

    def serialized(self, result: str, result_type: str, shape: Sequence[Any], metadata: Mapping[str, str]) -> bytes:
        """Return the model as bytes, checked.

        Parameters
        ----------
        result : str
            Name of the tensor that the output is.
        result_type : str
            A name in ``onnx.TensorProto``.
        shape : sequence of str or int
            Of the output.
        metadata : mapping of str to str
            Of the model.

        Returns
        -------
        bytes
            What ONNX Runtime reads.
        """
        helper, types = self._onnx.helper, self._onnx.TensorProto
        nodes, used = self._used_for(result)
        nodes.append(helper.make_node("Identity", [result], [self._output], name=self._output))
        graph = helper.make_graph(
            nodes,
            "sklearn_din",
            [helper.make_tensor_value_info(each.name, getattr(types, each.type), each.shape) for each in self._inputs],
            [helper.make_tensor_value_info(self._output, getattr(types, result_type), shape)],
            initializer=[each for each in self._initializers.values() if each.name in used],
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="sklearn_din")
        helper.set_model_props(model, dict(metadata))
        data: bytes = model.SerializeToString()
        self._onnx.checker.check_model(data)
        return data

    def _used_for(self, result: str) -> tuple[list[Any], set[str]]:
        """Return the nodes that a tensor needs, in order, and the names of all tensors that it needs."""
        nodes, used = [], {result}
        for node in reversed(self._nodes):
            if not used.isdisjoint(node.output):
                nodes.append(node)
                used.update(node.input)
        return nodes[::-1], used

    def _initializer(self, key: Any, name: str, array: NDArray[Any]) -> str:
        if key not in self._initializers:
            self._count(array.nbytes)
            self._initializers[key] = self._onnx.numpy_helper.from_array(np.array(array), self._unique(name))
        return str(self._initializers[key].name)

    def _unique(self, stem: str) -> str:
        name, number = stem, 1
        while name in self._taken:
            name, number = f"{stem}_{number}", number + 1
        self._taken.add(name)
        return name

    def _count(self, n_bytes: int) -> None:
        self._n_bytes += n_bytes
        if self._n_bytes > MOST_BYTES:
            msg = (
                f"The graph would be larger than an ONNX file can be: embedding tables and vocabularies take more than "
                f"{MOST_BYTES} bytes. Fit with a smaller embedding_dim, or with max_categories or min_frequency."
            )
            raise ValueError(msg)


def import_onnx() -> Any:
    """Import the optional package that writes graphs.

    Returns
    -------
    module
        ``onnx``.

    Raises
    ------
    ImportError
        If it is not installed, naming the extra to install.
    """
    try:
        import onnx
    except ImportError as error:
        msg = 'export_onnx writes with onnx, which is not there. Install it: pip install "sklearn-din[onnx]".'
        raise ImportError(msg) from error
    return onnx
