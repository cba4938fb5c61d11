"""JSON and arrays to values: what ``Writer`` wrote, or an error."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_din.persistence._estimators import estimator_of, is_transformer
from sklearn_din.persistence._probe import check_probe
from sklearn_din.persistence._writer import BUILTIN_TYPES, MARK

LARGEST_TEXT = 10**7  # characters of an array of strings, all of which are as wide as the longest
_FLOATS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


class Reader:
    """Makes values of JSON and arrays.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Those of the file.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Those that nothing has named so far: each is for one place.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.arrays = dict(arrays)

    def decode(self, encoded: Any) -> Any:
        """Return the value that was encoded.

        Parameters
        ----------
        encoded : object
            What ``json.loads`` returns; may be forged.

        Returns
        -------
        object
            What ``Writer.encode`` was given; scalars of NumPy as those of Python.

        Raises
        ------
        ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError
            If it makes no sense.
        """
        if isinstance(encoded, list):
            return [self.decode(each) for each in encoded]
        if not isinstance(encoded, dict):
            return encoded
        tag = next(iter(encoded), "")
        if tag.startswith(MARK):
            return _DECODERS[tag](self, encoded[tag], encoded)
        return {key: self.decode(each) for key, each in encoded.items()}

    def _tuple(self, content: Any, _: Any) -> tuple[Any, ...]:
        return tuple(self.decode(content))

    def _dict(self, content: Any, _: Any) -> dict[Any, Any]:
        return {self.decode(key): self.decode(value) for key, value in content}

    def _objects(self, content: Any, tagged: Mapping[str, Any]) -> NDArray[Any]:
        values = self.decode(content)
        if tagged["type"] == "O":
            array = np.empty(len(values), dtype=object)
            array[:] = values
            return array.reshape(tagged["shape"])
        width = tagged["width"]
        if not all(isinstance(value, str) and len(value) <= width for value in values):
            msg = f"An array of strings of {width} characters holds something else."
            raise TypeError(msg)
        if len(values) * width > LARGEST_TEXT:
            msg = f"An array of {len(values)} strings of {width} characters takes too much memory."
            raise ValueError(msg)
        return np.array(values, dtype=f"U{int(width)}").reshape(tagged["shape"])

    def _array(self, content: Any, tagged: Mapping[str, Any]) -> NDArray[Any]:
        values = self.arrays.pop(content)
        if "type" not in tagged:
            return values
        dtype = np.dtype(tagged["type"])
        if dtype.kind not in "bmM" or values.dtype != (np.uint8 if dtype.kind == "b" else np.int64):
            msg = f"The array {content!r} of {values.dtype} holds no values of the type {dtype}."
            raise TypeError(msg)
        return values.astype(bool) if dtype.kind == "b" else values.view(dtype)

    def _estimator(self, content: Any, tagged: Mapping[str, Any]) -> Any:
        estimator = estimator_of(content, {name: self.decode(value) for name, value in tagged["state"].items()})
        if "probe" in tagged:
            if not is_transformer(estimator):
                msg = f"A {content} has no probe."
                raise TypeError(msg)
            check_probe(estimator, self.decode(tagged["probe"]))
        return estimator

    def _random_state(self, content: Any, _: Any) -> np.random.RandomState:
        state = self.decode(content)
        key, position = state["state"]["key"], state["state"]["pos"]
        if key.dtype != np.uint32 or key.shape != (624,) or type(position) is not int or not 0 <= position <= 624:
            msg = "A generator of random numbers has another state."  # NumPy would read beyond its end
            raise ValueError(msg)
        random_state = np.random.RandomState(0)
        random_state.set_state(state)
        return random_state

    def _dtype(self, content: Any, _: Any) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(content)
        if dtype.kind not in "biuf":
            msg = f"{content!r} is no type of numbers."
            raise TypeError(msg)
        return dtype

    def _ufunc(self, content: Any, _: Any) -> np.ufunc:
        function = vars(np)[content]
        if not isinstance(function, np.ufunc):
            msg = f"numpy.{content} is no function that works element by element."
            raise TypeError(msg)
        return function

    def _type(self, content: Any, _: Any) -> type:
        if content in BUILTIN_TYPES:
            return BUILTIN_TYPES[content]
        kind = vars(np)[content.removeprefix("numpy.")]
        if not (isinstance(kind, type) and issubclass(kind, np.generic)):
            msg = f"{content} is no type of values."
            raise TypeError(msg)
        return kind


_DECODERS: dict[str, Callable[[Reader, Any, Any], Any]] = {
    "$array": Reader._array,
    "$dict": Reader._dict,
    "$dtype": Reader._dtype,
    "$estimator": Reader._estimator,
    "$float": lambda _, content, __: _FLOATS[content],
    "$objects": Reader._objects,
    "$random_state": Reader._random_state,
    "$tuple": Reader._tuple,
    "$type": Reader._type,
    "$ufunc": Reader._ufunc,
}
