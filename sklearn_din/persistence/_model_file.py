"""A fitted model to a file and back."""

import os
import platform
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_din.estimators import DINClassifier, DINRegressor
from sklearn_din.exceptions import ModelFileError
from sklearn_din.persistence._container import read_container, versions_of, write_container
from sklearn_din.persistence._reader import Reader
from sklearn_din.persistence._writer import Writer
from sklearn_din.preprocessing import BehaviorEncoder

PACKAGES = ("numpy", "pyarrow", "scikit-learn", "skorch", "sklearn-din", "torch")
MODELS = (Pipeline, BehaviorEncoder, DINClassifier, DINRegressor)
_NAMES = f"fitted {', '.join(kind.__name__ for kind in MODELS[:-1])} or {MODELS[-1].__name__}"
# What a reader stumbles over where a document describes no model.
_SENSELESS = (
    ArithmeticError,
    AttributeError,
    LookupError,
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
        The file. One that is there is replaced in one step, when the new one is safely on the disk: whoever stops the
        program, the old file is there or the new one. A program that is killed may leave a file ``.<name>.<...>.tmp``
        beside it.

    Raises
    ------
    TypeError
        If the file can't hold the model, or a part of it.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    OSError
        If the file can't be written; an old one is then left as it was.

    Warns
    -----
    UserWarning
        If parameters that only ``fit`` needs are left out, because they are objects with code of their own: callbacks,
        and a scorer of the user's. The file has their defaults instead, and for a function that chooses columns the
        columns that it chose. Of a pipeline's ``memory`` nothing is kept, and of metadata requests.

    See Also
    --------
    load_model : Reads the file.

    Notes
    -----
    The file is a safetensors file. It holds weights, vocabularies, parameters, classes and the training's history, but
    no training rows. Each byte is covered by a checksum (SHA-256), which tells of damage, not of forgery.

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
        advice = "Save its best_estimator_." if hasattr(model, "best_estimator_") else "Save the pipeline inside it."
        msg = f"save_model takes a {_NAMES}: it got a {type(model).__name__}. {advice}"
        raise TypeError(msg)
    _check_all_fitted(model)
    writer = Writer()
    document = {
        "model": writer.encode(model, "model"),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    }
    if writer.left_out:
        msg = (
            f"The file leaves out what only fit needs and is no plain value: {', '.join(writer.left_out)}. "
            "Set it again on the loaded model before you fit it again."
        )
        warnings.warn(msg, UserWarning, stacklevel=2)
    write_container(Path(path), document, writer.arrays)


def load_model(path: str | os.PathLike[str]) -> Any:
    """Read a model that ``save_model`` wrote, from whomever it comes.

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

    Warns
    -----
    sklearn.exceptions.InconsistentVersionWarning
        If a transformer of scikit-learn is of another version than the one installed.

    See Also
    --------
    save_model : Writes the file.

    Notes
    -----
    Nothing in the file is code or the name of code to import: classes are looked up in a list of this library. A model
    of a stranger can still be wrong on purpose: only a signature tells whose it is. It takes some three times the
    size of the file in memory.
    """
    path = Path(path)
    document, arrays = read_container(path)
    try:
        model = Reader(arrays).decode(document["model"])
        if type(model) not in MODELS:
            msg = f"It holds a {type(model).__name__}."
            raise TypeError(msg)
        _check_all_fitted(model)
    except _SENSELESS as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        msg = (
            f"{path} describes no {_NAMES} ({reason[:300]}). Save the model again; it was written with "
            f"{versions_of(document)}."
        )
        raise ModelFileError(msg) from error
    return model


def _check_all_fitted(model: Any) -> None:
    """Raise ``NotFittedError`` unless each step is fitted; a pipeline asks its last one only."""
    for step in [each for _, each in model.steps] if isinstance(model, Pipeline) else [model]:
        if not isinstance(step, str | None):
            check_is_fitted(step)
