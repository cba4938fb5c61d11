"""Transformers of scikit-learn as parameters and what they have learnt.

Nothing else of them goes into a file. Their private attributes belong to a version of scikit-learn, and some methods
trust them blindly, so that a forged one would write where it should not.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import FunctionTransformer

from sklearn_din.persistence._learnt import LEARNT, give_back, learnt_by
from sklearn_din.persistence._refusal import refuse

TRANSFORMERS = (*LEARNT, FeatureUnion)
OUTPUTS = ("default", "pandas", "polars")  # of set_output


def transformer_state(transformer: BaseEstimator) -> dict[str, Any]:
    """Return what a file holds of a transformer.

    Parameters
    ----------
    transformer : estimator
        Of one of ``TRANSFORMERS``, fitted or not.

    Returns
    -------
    dict
        Its ``parameters``; ``learnt``, None if it is not fitted; ``output``, of ``set_output``.
    """
    cls = type(transformer)
    learnt = learnt_by(transformer) if cls in LEARNT and hasattr(transformer, "n_features_in_") else None
    output = getattr(transformer, "_sklearn_output_config", {}).get("transform")
    return {"parameters": transformer.get_params(deep=False), "learnt": learnt, "output": output}


def build_transformer(cls: type[BaseEstimator], state: Mapping[str, Any]) -> Any:
    """Return the transformer of a state, which may be forged.

    Parameters
    ----------
    cls : type
        One of ``TRANSFORMERS``.
    state : mapping
        What ``transformer_state`` gave.

    Returns
    -------
    estimator
        Made by its constructor; what it has learnt is of the right shapes.

    Raises
    ------
    AttributeError, LookupError, TypeError, ValueError
        If the state describes no such transformer.
    """
    parameters, learnt = dict(state["parameters"]), state["learnt"]
    transformer = cls(**parameters)
    if hasattr(transformer, "_parameter_constraints"):  # FeatureUnion has none
        transformer._validate_params()
    if parameters.get("n_jobs") is not None:  # it would start processes
        refuse("n_jobs", parameters["n_jobs"], None)
    if cls is FunctionTransformer:
        _check_functions(transformer)
    if learnt is not None:
        transformer = give_back(transformer, learnt)
    if state.get("output") is not None:
        if state["output"] not in OUTPUTS:
            refuse("the output of a transformer", state["output"], f"one of {', '.join(OUTPUTS)}")
        transformer.set_output(transform=state["output"])
    return transformer


def _check_functions(transformer: Any) -> None:
    for function in (transformer.func, transformer.inverse_func):
        if function is not None and not (isinstance(function, np.ufunc) and function.nin == function.nout == 1):
            refuse("func", function, "a ufunc of one argument")
    for arguments in (transformer.kw_args, transformer.inv_kw_args):
        if arguments:  # out and where would write to, and read from, memory that is not theirs
            refuse("kw_args", arguments, "empty")
