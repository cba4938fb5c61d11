"""A fitted model to a file and back."""

import os
import platform
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import pyarrow
import sklearn
import torch
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_din import __version__
from sklearn_din.estimators import DINClassifier, DINRegressor
from sklearn_din.exceptions import ModelFileError
from sklearn_din.persistence._container import read_container, versions_of, write_container
from sklearn_din.persistence._reader import Reader
from sklearn_din.persistence._writer import Writer
from sklearn_din.preprocessing import BehaviorEncoder
from sklearn_din.utils._pieces import shown

PACKAGES = {"numpy": numpy, "pyarrow": pyarrow, "scikit-learn": sklearn, "torch": torch}
MODELS = (Pipeline, BehaviorEncoder, DINClassifier, DINRegressor)
_NAMES = f"fitted {', '.join(kind.__name__ for kind in MODELS[:-1])} or {MODELS[-1].__name__}"
# What a reader stumbles over where a document describes no model.
_SENSELESS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    NameError,
    NotImplementedError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
)


def save_model(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted model to a file that ``load_model`` reads without running code from it.

    Parameters
    ----------
    model : Pipeline, BehaviorEncoder, DINClassifier or DINRegressor
        Fitted. Beside an encoder and an estimator a pipeline may hold transformers of numbers of scikit-learn, and so
        may ``numeric_transformer``; a ``FunctionTransformer`` with a function of one argument of NumPy, such as
        ``numpy.log1p``.
    path : str or path
        The file. An old one is replaced in one step, when the new one is whole and on the disk: whatever stops the
        program, there is the old file or the new one. A program that is killed may leave a file ``.<name>.<...>.tmp``
        beside it.

    Raises
    ------
    TypeError
        If the file can't hold the model, or a part of it.
    ValueError
        If the model could not be loaded again: a parameter that was set after ``fit`` is not valid, for example.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    OSError
        If the file can't be written; an old one is then left as it was.

    Warns
    -----
    UserWarning
        Of what is left out, because only ``fit`` needs it and it is code or leads to code: callbacks, a scorer of the
        user's, the ``memory`` and ``n_jobs`` of a pipeline or transformer, attributes that the library does not know.
        The loaded model has the defaults, and for a function that chose columns the columns that it chose.

    See Also
    --------
    load_model : Reads the file.

    Notes
    -----
    The file is a safetensors file. It holds weights, vocabularies, parameters, classes and the training's history, but
    no training rows. Each byte is covered by a checksum (SHA-256), which finds damage, but not forgery.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_din import BehaviorEncoder, DINClassifier
    >>> from sklearn_din.datasets import make_clicks
    >>> from sklearn_din.persistence import load_model, save_model
    >>> X, y = make_clicks(500, random_state=0)
    >>> encoder = BehaviorEncoder({"hist_item": "item", "hist_category": "category"})
    >>> model = make_pipeline(encoder, DINClassifier(max_epochs=1, random_state=0)).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "clicks.safetensors"
    ...     save_model(model, path)
    ...     loaded = load_model(path)
    >>> bool((loaded.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    if type(model) not in MODELS:
        msg = f"save_model takes a {_NAMES}: it got a {type(model).__name__}. {_advice(model)}"
        raise TypeError(msg)
    _check_all_fitted(model)
    writer = Writer()
    versions = {"python": platform.python_version(), "sklearn-din": __version__}
    versions |= {name: module.__version__ for name, module in PACKAGES.items()}
    document = {"model": writer.encode(model, "model"), "versions": versions}
    try:
        _decoded(document, writer.arrays)
    except _SENSELESS as error:
        msg = (
            f"The model is not saved, since it could not be loaded again ({_reason(error)}). Set what is wrong, and "
            "save it again."
        )
        raise ValueError(msg) from error
    if writer.left_out:
        msg = (
            f"The file does not hold {', '.join(writer.left_out)}: only fit needs them, and they are no plain values, "
            "or no attributes of the library. Set them again on the loaded model if you fit it again."
        )
        warnings.warn(msg, UserWarning, stacklevel=2)
    write_container(Path(path), document, writer.arrays)


def load_model(path: str | os.PathLike[str]) -> Any:
    """Read a model that ``save_model`` wrote, whoever it comes from.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    Pipeline, BehaviorEncoder, DINClassifier or DINRegressor
        Fitted: it predicts what the saved one does. Networks are on the device that they were trained on if this
        machine has it, else on the CPU.

    Raises
    ------
    sklearn_din.exceptions.ModelFileError
        If the file is damaged, of a later format, or describes no model; also where a transformer of scikit-learn does
        not give here what it gave there.
    OSError
        If the file can't be read.

    See Also
    --------
    save_model : Writes the file.

    Notes
    -----
    Nothing in the file is code or the name of code to import: classes are looked up in a list of this library. A
    stranger's model can still be wrong on purpose: only a signature tells who made it. Loading takes about three times
    the size of the file in memory.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_din import DINRegressor
    >>> from sklearn_din.persistence import load_model, save_model
    >>> model = DINRegressor(max_epochs=1, random_state=0).fit([[0.0], [1.0]], [3.0, 4.0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "numbers.safetensors"
    ...     save_model(model, path)
    ...     loaded = load_model(path)
    >>> loaded.predict([[0.0]]) == model.predict([[0.0]])
    array([ True])
    """
    path = Path(path)
    document, arrays = read_container(path)
    try:
        return _decoded(document, arrays)
    except _SENSELESS as error:
        msg = (
            f"{path} describes no {_NAMES} ({_reason(error)}). Save the model again; it was written with "
            f"{versions_of(document)}."
        )
        raise ModelFileError(msg) from error


def _decoded(document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Any:
    """Return the model of a document, or raise if it is none."""
    reader = Reader(arrays)
    model = reader.decode(document["model"])
    if type(model) not in MODELS:
        msg = f"it holds a {type(model).__name__}"
        raise TypeError(msg)
    if reader.arrays:
        msg = f"nothing names the array {shown(next(iter(reader.arrays)))}"
        raise ValueError(msg)
    _check_all_fitted(model)
    return model


def _reason(error: BaseException) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return repr(text[:300])[1:-1]  # a stranger's text may hold characters that change what a terminal shows


def _advice(model: Any) -> str:
    if isinstance(model, str | os.PathLike):
        return "The model comes first, then the path."
    if isinstance(model, MODELS):
        return "A file holds no classes of your own: write a pickle for those who trust you."
    if hasattr(model, "best_estimator_"):
        return "Save its best_estimator_."
    return "Save the pipeline inside it."


def _check_all_fitted(model: Any) -> None:
    """Raise ``NotFittedError`` unless each step is fitted; a pipeline asks its last one only."""
    for step in [each for _, each in model.steps] if isinstance(model, Pipeline) else [model]:
        if not isinstance(step, str | None):
            check_is_fitted(step)
