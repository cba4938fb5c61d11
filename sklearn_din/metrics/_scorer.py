"""A scorer for model selection that finds the users of GAUC in the data itself."""

from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.metadata_routing import MetadataRequest

from sklearn_din.metrics._gauc import gauc_score


def make_gauc_scorer(group: str) -> "GaucScorer":
    """Make a scorer of GAUC that takes the users from a column of ``X``.

    In a pipeline ``X`` is what goes into the first step: the raw frame.

    Parameters
    ----------
    group : str
        The column of the user in ``X``: a frame (pandas, polars, pyarrow) or a dict of columns.

    Returns
    -------
    callable
        ``scorer(estimator, X, y, sample_weight=None)``, for the ``scoring`` of ``GridSearchCV``,
        ``cross_val_score`` and the like. It ranks by the second column of ``predict_proba``, or by
        ``decision_function`` where the estimator has no probabilities. It can be pickled. With metadata routing,
        ``scorer.set_score_request(sample_weight=True)`` asks for the weights of the rows, as for scikit-learn's own.

    Raises
    ------
    TypeError
        If ``group`` is not a string; when scoring, if ``X`` has no named columns or the estimator neither of the
        two methods.
    ValueError
        When scoring, if ``X`` has no such column, or the estimator has more than two classes.

    See Also
    --------
    gauc_score : The metric. With metadata routing, ``make_scorer(gauc_score, response_method="predict_proba")`` and
        ``.set_score_request(groups=True)`` take the users from outside of ``X``.

    Examples
    --------
    >>> from sklearn_din.metrics import make_gauc_scorer
    >>> make_gauc_scorer("user")
    make_gauc_scorer('user')
    """
    validate_parameter_constraints({"group": [str]}, {"group": group}, caller_name="make_gauc_scorer")
    return GaucScorer(group)


@dataclass
class GaucScorer:
    """GAUC by a column of ``X``, as ``make_gauc_scorer`` makes it.

    Attributes
    ----------
    group : str
        The column of the user.
    weight_request : bool, str or None
        Whether it asks for ``sample_weight`` in metadata routing, or under which other name; None is undecided.
    """

    group: str
    weight_request: bool | str | None = None

    def set_score_request(self, *, sample_weight: Any) -> "GaucScorer":
        """Say whether metadata routing is to give it the weights of the rows.

        Parameters
        ----------
        sample_weight : bool, str or None
            True or the name under which they are passed; False for no weights; None raises where weights are passed.

        Returns
        -------
        GaucScorer
            Itself.

        Raises
        ------
        RuntimeError
            If metadata routing is not enabled.
        TypeError
            If the request is of another type.
        """
        if not get_config()["enable_metadata_routing"]:
            msg = (
                "set_score_request is for metadata routing, which is not enabled. "
                "Enable it: sklearn.set_config(enable_metadata_routing=True)."
            )
            raise RuntimeError(msg)
        if not (sample_weight is None or isinstance(sample_weight, bool | str)):
            msg = f"sample_weight must be True, False, None or a name: got {sample_weight!r}. Give True to get weights."
            raise TypeError(msg)
        self.weight_request = sample_weight
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Return what it asks for, to scikit-learn's metadata routing.

        Returns
        -------
        MetadataRequest
            Of ``sample_weight`` in ``score``.
        """
        request = MetadataRequest(owner=self)
        request.score.add_request(param="sample_weight", alias=self.weight_request)
        return request

    def __call__(self, estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        groups = _column(X, self.group)
        return gauc_score(y, _response(estimator, X), groups=groups, sample_weight=sample_weight)

    def __hash__(self) -> int:
        return hash(self.group)  # the request may change

    def __repr__(self) -> str:
        asked = "" if self.weight_request is None else f".set_score_request(sample_weight={self.weight_request!r})"
        return f"make_gauc_scorer({self.group!r}){asked}"


def _column(X: Any, name: str) -> Any:
    if isinstance(X, dict):
        frame, columns = X, list(X)
    else:
        frame = nw.from_native(X, eager_only=True, pass_through=True)
        if not isinstance(frame, nw.DataFrame):
            msg = (
                f"The scorer reads column {name!r} of a frame or a dict of columns: got {type(X).__name__}. "
                "Give raw rows to a pipeline that encodes them, or route groups to make_scorer(gauc_score)."
            )
            raise TypeError(msg)
        columns = frame.columns
    if name not in columns:
        msg = f"X has no column {name!r} to group by: its columns are {columns}. Name one of them in make_gauc_scorer."
        raise ValueError(msg)
    column = frame[name]
    return column.to_native() if isinstance(column, nw.Series) else column


def _response(estimator: Any, X: Any) -> NDArray[Any]:
    for method in ("predict_proba", "decision_function"):
        if hasattr(estimator, method):
            response = np.asarray(getattr(estimator, method)(X))
            break
    else:
        msg = (
            f"GAUC needs scores to rank by: {type(estimator).__name__} has no predict_proba and no decision_function. "
            "Use a classifier that has one of them."
        )
        raise TypeError(msg)
    if response.ndim == 2 and response.shape[1] == 2:
        return response[:, 1]
    if response.ndim == 1:
        return response
    msg = (
        f"GAUC is for two classes: {method} of {type(estimator).__name__} gives {response.shape[1]} columns. "
        "Fit the estimator on rows of both classes and of no more."
    )
    raise ValueError(msg)
