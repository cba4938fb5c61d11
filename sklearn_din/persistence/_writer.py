"""Values to JSON and arrays: plain ones, and objects of a few kinds, each under a tag of its own."""

import math
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from sklearn_din.persistence._estimators import is_transformer, name_of, state_of
from sklearn_din.persistence._probe import probe
from sklearn_din.utils._pieces import shown

MARK = "$"  # begins a tag: {"$tuple": [1, 2]}
BUILTIN_TYPES: dict[str, type] = {kind.__name__: kind for kind in (bool, float, int, object, str)}


class Writer:
    """Makes JSON of values, and keeps their arrays.

    Attributes
    ----------
    arrays : dict of str to ndarray
        What ``{"$array": name}`` stands for: contiguous, of integers or floats.
    left_out : list of str
        Attributes of estimators that were not written.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        self.left_out: list[str] = []
        self._is_inside_transformer = False

    def encode(self, value: Any, path: str) -> Any:
        """Return ``value`` as JSON.

        Parameters
        ----------
        value : object
            Plain values, containers and arrays of them, and estimators that ``name_of`` knows.
        path : str
            Where it stands, for messages and names of arrays.

        Returns
        -------
        object
            Of what JSON knows, without NaN and infinity.

        Raises
        ------
        TypeError
            If a part of it is of another type.
        """
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"$float": str(float(value))}
        if isinstance(value, list | range):
            return [self.encode(each, f"{path}.{i}") for i, each in enumerate(value)]
        if isinstance(value, tuple):
            if len(value) > 1 and isinstance(value[0], str):  # a step of a pipeline is called by its name
                path = f"{path.rpartition('.')[0]}.{value[0]}"
                return {"$tuple": [value[0], *(self.encode(each, path) for each in value[1:])]}
            return {"$tuple": self.encode(list(value), path)}
        if isinstance(value, Mapping):
            return self._encode_mapping(value, path)
        if isinstance(value, np.ndarray):
            return self._encode_array(value, path)
        if isinstance(value, BaseEstimator):
            return self._encode_estimator(value, path)
        return self._encode_object(value, path)

    def _encode_mapping(self, value: Mapping[Any, Any], path: str) -> dict[str, Any]:
        if all(isinstance(key, str) and not key.startswith(MARK) for key in value):
            return {str(key): self.encode(each, f"{path}.{key}") for key, each in value.items()}
        pairs = [[self.encode(key, path), self.encode(each, f"{path}.{key}")] for key, each in value.items()]
        return {"$dict": pairs}

    def _encode_array(self, value: NDArray[Any], path: str) -> dict[str, Any]:
        dtype = value.dtype.newbyteorder("=")
        if dtype.kind in "OU":
            return {
                "$objects": self.encode(value.ravel().tolist(), path),
                "shape": list(value.shape),
                "type": dtype.kind,
                "width": dtype.itemsize // 4 if dtype.kind == "U" else 0,
            }
        if dtype.kind not in "biufmM" or dtype.itemsize > 8:
            _refuse(path, f"an array of {dtype}")
        name = path
        while name in self.arrays:
            name += "'"
        # NumPy gives a scalar one dimension when it makes it contiguous.
        self.arrays[name] = np.ascontiguousarray(value, dtype=dtype).reshape(value.shape)
        if dtype.kind not in "bmM":
            return {"$array": name}
        self.arrays[name] = self.arrays[name].view(np.uint8 if dtype.kind == "b" else np.int64)
        return {"$array": name, "type": dtype.name}

    def _encode_estimator(self, value: BaseEstimator, path: str) -> dict[str, Any]:
        name = name_of(value)
        if name is None:
            _refuse(path, f"a {type(value).__name__}")
        state, left_out = state_of(value)
        self.left_out += [f"{path}.{attribute}".removeprefix("model.") for attribute in left_out]
        is_outermost = is_transformer(value) and not self._is_inside_transformer
        self._is_inside_transformer |= is_outermost
        parts = {key: self.encode(part, f"{path}.{key}") for key, part in _in_order(state)}
        encoded: dict[str, Any] = {"$estimator": name, "state": parts}
        if is_outermost:
            self._is_inside_transformer = False
            encoded["probe"] = self.encode(probe(value), f"{path}.probe")
        return encoded

    def _encode_object(self, value: Any, path: str) -> Any:
        if isinstance(value, np.generic) and value.dtype.kind in "biuf":
            return self.encode(value.item(), path)
        if isinstance(value, np.random.RandomState):
            return {"$random_state": self.encode(value.get_state(legacy=False), path)}
        if isinstance(value, np.dtype):
            return {"$dtype": value.str}
        name = getattr(value, "__name__", "")
        is_of_numpy = isinstance(value, np.ufunc | type) and vars(np).get(name) is value
        if is_of_numpy and isinstance(value, np.ufunc):
            return {"$ufunc": name}
        if is_of_numpy and issubclass(value, np.generic):
            return {"$type": f"numpy.{name}"}
        if isinstance(value, type) and BUILTIN_TYPES.get(name) is value:
            return {"$type": name}
        return _refuse(path, shown(value))


def _in_order(state: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the parameters by name, then what is private: an error names what the user gave."""
    return sorted(state.items(), key=lambda item: (item[0].startswith("_"), item[0]))


def _refuse(path: str, what: str) -> NoReturn:
    msg = (
        f"A model file can't hold {what}, which is {path.removeprefix('model.')}: it holds numbers, text, and the "
        "transformers that the user guide lists (Saving and loading), FunctionTransformer with ufuncs of NumPy only. "
        "Replace it, or write a pickle for those who trust you."
    )
    raise TypeError(msg)
