"""The encoder: frames with list columns to ids and numbers, with vocabularies shared by candidates and behaviors."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import Tags
from sklearn.utils._param_validation import HasMethods, Interval, RealNotInt, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from sklearn_din.preprocessing._chunked_fit import ChunkedFitMixin
from sklearn_din.preprocessing._column_roles import Selection
from sklearn_din.preprocessing._encoding import Encoding
from sklearn_din.preprocessing._families import warn_of_foreign_values
from sklearn_din.preprocessing._input import frame_of, record_columns
from sklearn_din.preprocessing._raw_rows import RawRows
from sklearn_din.preprocessing._row_statistics import RowStatistics
from sklearn_din.preprocessing._statistics_state import state_of, statistics_of
from sklearn_din.preprocessing._table import EncodedTable
from sklearn_din.utils._arrow import release_memory
from sklearn_din.utils._doc_links import DocLinkMixin
from sklearn_din.utils._fit_tasks import CallbackSupportMixin, FitTasks, with_callbacks

_LEARNT = ("_encoding", "_statistics")
_VIEWS = ("layout_", "vocabularies_", "numeric_transformer_")  # attributes of _encoding under public names
_SELECTION: list[Any] = [StrOptions({"auto"}), list, tuple, np.ndarray, callable]


class BehaviorEncoder(  # type: ignore[call-arg]
    DocLinkMixin, ChunkedFitMixin, TransformerMixin, CallbackSupportMixin, BaseEstimator, auto_wrap_output_keys=None
):
    """Encoder of frames with list columns of past behaviors.

    Values become ids: 0 pads, 1 is unknown, 2… are the values of the training rows in order of frequency, ties in order
    of value. A candidate column and its list columns share one vocabulary. Numbers are imputed and standardised.

    Parameters
    ----------
    behavior_features : dict, list of dict or None, default=None
        ``{list column: candidate column}``: what each past behavior and the candidate have in common. A column mapped
        to None is a behavior-only field; if it holds floats, its numbers are standardised, else its values are ids. The
        list columns of one dict describe the same events, oldest first, and are equally long in each row. A list of
        dicts declares several sequences, each with its own attention. None declares no sequence.
    categorical_features : "auto", list of str or callable, default="auto"
        Columns with a category per row; the candidate columns are always among them. "auto" takes strings, booleans and
        categoricals of pandas or polars. A callable, such as ``make_column_selector``, gets ``X``, and does not reach
        the columns of ``behavior_features``.
    numeric_features : "auto", list of str or callable, default="auto"
        Columns with a number per row. "auto" takes floats, and integers if the columns have no names.
    bag_features : "auto", list of str or callable, default="auto"
        List columns of ids that are pooled without attention. "auto" takes all that ``behavior_features`` does not
        name.
    max_length : int, default=50
        How many behaviors of a row are kept, from the newest on; bags keep their first ones. At least 1.
    min_frequency : int or float, default=1
        Values in fewer training rows are unknown; a float between 0 and 1 is a fraction of the training rows.
    max_categories : int or None, default=None
        How many values a vocabulary keeps, the most frequent ones; None for all. Unknown and padding come on top.
    numeric_transformer : estimator or None, default=None
        Transformer of the numeric columns, which it gets as an array of float64 with NaN where missing. None for
        ``SimpleImputer(add_indicator=True)``, then ``StandardScaler``.

    Attributes
    ----------
    layout_ : FeatureLayout
        What the columns of the encoded table are.
    vocabularies_ : dict of str to Vocabulary
        By embedding table: a candidate column, or a column with a vocabulary of its own.
    numeric_transformer_ : estimator or None
        The fitted transformer; None if there are no numeric columns.
    n_features_in_ : int
        Columns of ``X`` in ``fit`` or ``partial_fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if they are all strings.

    See Also
    --------
    EncodedTable : What ``transform`` returns.
    build_histories : List columns from an event log.

    Notes
    -----
    A missing cell of a list column is an empty history; a missing element is unknown and keeps its place; a missing
    category is unknown, or a value of its own if it occurs in ``fit``; a missing number of a behavior is 0 after
    standardising. Integers of all widths are equal, and the float 3.0 equals 3; ``"1"`` and ``1`` and ``True`` differ.

    ``X`` may be a frame of pandas, polars or pyarrow, a dict of columns, or a plain array of numbers, whose columns are
    called ``x0``, ``x1``, … and are numeric.

    ``partial_fit`` learns from rows that come in chunks. For it an encoder counts how many rows hold each value, also
    those values that ``min_frequency`` and ``max_categories`` cut.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from sklearn_din.preprocessing import BehaviorEncoder
    >>> X = pa.table({"item": ["tea", "milk"], "hist_item": [["milk", "milk", "rice"], []]})
    >>> encoder = BehaviorEncoder({"hist_item": "item"}, max_length=2).fit(X)
    >>> encoder.transform(X)["hist_item"]
    array([[2, 3],
           [0, 0]], dtype=int32)
    >>> encoder.vocabularies_["item"].values
    array(['milk', 'rice', 'tea'], dtype=object)
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 (scikit-learn's form)
        "behavior_features": [Mapping, list, tuple, None],
        "categorical_features": _SELECTION,
        "numeric_features": _SELECTION,
        "bag_features": _SELECTION,
        "max_length": [Interval(Integral, 1, None, closed="left")],
        "min_frequency": [Interval(Integral, 1, None, closed="left"), Interval(RealNotInt, 0, 1, closed="neither")],
        "max_categories": [Interval(Integral, 1, None, closed="left"), None],
        "numeric_transformer": [HasMethods(["fit", "transform"]), None],
    }

    def __init__(
        self,
        behavior_features: Mapping[str, str | None] | Sequence[Mapping[str, str | None]] | None = None,
        *,
        categorical_features: Selection = "auto",
        numeric_features: Selection = "auto",
        bag_features: Selection = "auto",
        max_length: int = 50,
        min_frequency: float = 1,
        max_categories: int | None = None,
        numeric_transformer: Any = None,
    ) -> None:
        self.behavior_features = behavior_features
        self.categorical_features = categorical_features
        self.numeric_features = numeric_features
        self.bag_features = bag_features
        self.max_length = max_length
        self.min_frequency = min_frequency
        self.max_categories = max_categories
        self.numeric_transformer = numeric_transformer

    @with_callbacks  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=False)  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any = None) -> "BehaviorEncoder":
        """Learn vocabularies and scales from the rows of ``X``.

        Parameters
        ----------
        X : frame, dict of columns, or array-like of shape (n_samples, n_features)
            A row for each (user, candidate). It is not written to.
        y : array-like of shape (n_samples,), default=None
            Handed to ``numeric_transformer``.

        Returns
        -------
        BehaviorEncoder
            Itself.

        Raises
        ------
        TypeError
            If a column holds what its role does not allow, or a list column and its candidate can never match.
        ValueError
            If a parameter, a name or a value is not valid; the message names column and row.
        """
        self._learn(X, y)
        release_memory()
        return self

    @with_callbacks  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=False)  # type: ignore[untyped-decorator]
    def fit_transform(self, X: Any, y: Any = None) -> EncodedTable:
        """Do as ``fit`` and then ``transform`` would, reading ``X`` once.

        A ``numeric_transformer`` is fitted and then applied, without the cross-fitting that some, such as
        ``TargetEncoder``, do in their own ``fit_transform``.

        Parameters
        ----------
        X : frame, dict of columns, or array-like of shape (n_samples, n_features)
            As for ``fit``.
        y : array-like of shape (n_samples,), default=None
            As for ``fit``.

        Returns
        -------
        EncodedTable
            The rows of ``X`` in order.
        """
        rows = self._learn(X, y)
        table = self._encoding.encode(rows)
        del rows
        release_memory()
        return table

    def transform(self, X: Any) -> EncodedTable:
        """Encode rows.

        Parameters
        ----------
        X : frame, dict of columns, or array-like of shape (n_samples, n_features)
            Columns as in ``fit``. It is not written to.

        Returns
        -------
        EncodedTable
            The rows of ``X`` in order, each once.

        Raises
        ------
        TypeError
            If a column holds what its role does not allow.
        ValueError
            If the columns are not those of ``fit``, or a value is not valid; the message names column and row.

        Warns
        -----
        UserWarning
            If all values of a column are of a type that ``fit`` has not seen there, so that all are unknown.
        """
        check_is_fitted(self)
        encoding = self._encoding
        frame = frame_of(self, X, reset=False).renamed(encoding.names)
        rows = RawRows(frame, encoding.roles, encoding.layout.max_length)
        warn_of_foreign_values(rows, encoding.families)
        table = encoding.encode(rows)
        del frame, rows
        release_memory()
        return table

    def inverse_transform(self, X: Any) -> Any:
        """Return the raw values of encoded rows.

        Parameters
        ----------
        X : EncodedTable
            Of this encoder.

        Returns
        -------
        frame, dict of columns or ndarray
            Of the kind given to ``fit``, without the columns that were left out. Unknown values are None, histories are
            cut to ``max_length``, numbers have the precision of float32.

        Raises
        ------
        AttributeError
            If ``numeric_transformer`` has no ``inverse_transform``.
        TypeError
            If ``X`` is no ``EncodedTable``.
        ValueError
            If ``X`` has another layout.
        """
        check_is_fitted(self)
        if not isinstance(X, EncodedTable):
            msg = f"inverse_transform takes an EncodedTable; it got a {type(X).__name__}. Give what transform returned."
            raise TypeError(msg)
        if X.layout != self.layout_:
            msg = f"The table {X!r} has another layout than this encoder. Give what its own transform returned."
            raise ValueError(msg)
        return self._encoding.decode(X)

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> NDArray[np.object_]:
        """Return the names of the columns of ``table.to_numpy()``.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Checked against the names in ``fit``, and otherwise not used.

        Returns
        -------
        ndarray of shape (width,), object
            A list column ``c`` takes ``max_length`` of them: ``c_0``, ``c_1``, ….
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features)
        return np.asarray(self.layout_.padded_names, dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return "_encoding" in self.__dict__

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        encoding, statistics = (state.pop(name, None) for name in _LEARNT)
        if encoding is not None:
            state = {name: value for name, value in state.items() if name not in _VIEWS}
            state["_encoding"] = encoding.to_state()
        of_rows = None if statistics is None else state_of(statistics, encoding)
        return state if of_rows is None else state | {"_statistics": of_rows}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        state = dict(state)
        encoding, statistics = (state.pop(name, None) for name in _LEARNT)
        super().__setstate__(state)
        if encoding is not None:
            self.__dict__.update(_attributes(Encoding.from_state(encoding)))
        if statistics is not None:
            self._statistics = statistics_of(statistics, self._encoding, self)

    def _learn(self, X: Any, y: Any) -> RawRows:
        tasks = FitTasks(self, X=X, y=y)
        for name in _LEARNT:  # not fitted where fit fails
            self.__dict__.pop(name, None)
        statistics = RowStatistics(self)
        rows = statistics.add(X, y, is_fit=True)
        self._set_learnt(statistics, rows, tasks)
        return rows

    def _set_learnt(self, statistics: RowStatistics, rows: RawRows | None, tasks: FitTasks | None = None) -> None:
        encoding = Encoding.learn(
            statistics, min_frequency=self.min_frequency, max_categories=self.max_categories, rows=rows
        )
        learnt = _attributes(encoding)
        record_columns(self, encoding.names, is_named=encoding.is_named)
        if tasks is not None:
            tasks.end(lambda: learnt)
        self.__dict__.update(learnt, _statistics=statistics)


def _attributes(encoding: Encoding) -> dict[str, Any]:
    """Return what ``fit`` sets: the encoding, and parts of it under public names."""
    return {
        "_encoding": encoding,
        "layout_": encoding.layout,
        "vocabularies_": encoding.vocabularies,
        "numeric_transformer_": None if encoding.numeric is None else encoding.numeric.transformer,
    }
