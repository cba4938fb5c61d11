"""Attention weights as a frame: one line per behavior, with its raw values."""

from typing import Any

import numpy as np

from sklearn_din.inspection._models import EncodedRows, encode_rows
from sklearn_din.layout import BehaviorSequence
from sklearn_din.utils._columns import Column
from sklearn_din.utils._frames import build_frame


def attention_weights(model: Any, X: Any) -> Any:
    """Return the weight of each past behavior in the score of its row.

    Parameters
    ----------
    model : Pipeline or estimator
        Fitted: a pipeline that begins with a ``BehaviorEncoder`` and ends with an estimator of this library, or such an
        estimator alone.
    X : frame, dict of columns, or EncodedTable
        Raw rows for a pipeline, encoded rows for an estimator.

    Returns
    -------
    frame or dict of frame
        A line per kept behavior: ``row`` (the position of its row in ``X``, from 0), the values of its fields under the
        names of their columns, oldest first within a row, and ``weight``. Of the kind of ``X``; pandas for an
        ``EncodedTable``, with its ids. For several sequences a dict of such frames, by the name of their first column.
        A row with an empty history has no line.

    Raises
    ------
    ValueError
        If the model has no behavior sequence, one of its columns is called "row" or "weight", or ``X`` is not what it
        was fitted on.
    TypeError
        If ``model`` is a pipeline without an encoder, or no model of this library, or an estimator gets rows that are
        not encoded.
    NotFittedError
        If the model is not fitted.

    See Also
    --------
    AttentionDisplay : Draws them.

    Notes
    -----
    The weights of a history sum to 1 with ``attention_normalization="softmax"``, and to anything without it. With
    ``pooling="mean"`` and ``"sum"`` they are those of the mean and the sum.

    References
    ----------
    Zhou et al., Deep Interest Network, arXiv 1706.06978, section 4.3, eq. 3.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_din import BehaviorEncoder, DINClassifier
    >>> from sklearn_din.datasets import make_clicks
    >>> from sklearn_din.inspection import attention_weights
    >>> X, y = make_clicks(300, random_state=0)
    >>> encoder = BehaviorEncoder({"hist_item": "item", "hist_category": "category"})
    >>> model = make_pipeline(encoder, DINClassifier(max_epochs=1, random_state=0)).fit(X, y)
    >>> weights = attention_weights(model, X[:10])
    >>> weights.groupby("row")["weight"].sum().round(4).unique().tolist()
    [1.0]
    """
    rows = encode_rows(model, X)
    weights = rows.attention()
    frames = {sequence.name: _frame(sequence, rows, weights[sequence.name]) for sequence in rows.table.layout.sequences}
    return frames if len(frames) > 1 else next(iter(frames.values()))


def _frame(sequence: BehaviorSequence, rows: EncodedRows, weights: np.ndarray) -> Any:
    table, raw = rows.table, rows.raw
    clash = {"row", "weight"} & {field.name for field in sequence.fields}
    if clash:
        name = min(clash)
        msg = f"The result has a column {name!r} of its own, and so has X. Rename the column of X before fitting."
        raise ValueError(msg)
    lengths = table.lengths(sequence.name)
    columns: dict[str, Any] = {"row": np.repeat(np.arange(len(table)), lengths)}
    for field in sequence.fields:
        if raw is None:
            columns[field.name] = table.ragged(field.name).values
        else:
            columns[field.name] = _flat(raw[field.name].as_list().newest(table.layout.max_length))
    kind = "pandas" if raw is None else raw.kind
    columns["weight"] = weights
    if kind in ("pandas", "dict"):
        columns = {name: _as_numpy(values) for name, values in columns.items()}
    return build_frame(kind, columns)


def _flat(column: Column) -> Any:
    """All values of a list column, one row after another, as an Arrow array; of objects where types are mixed."""
    if len(column.pieces) == 1 and column.pieces[0].positions is None:
        return column.pieces[0].values
    values = np.full(column.n_values, None, dtype=object)
    for piece in column.pieces:
        values[piece.positions] = piece.values.to_pylist()
    return values


def _as_numpy(values: Any) -> np.ndarray:
    return values if isinstance(values, np.ndarray) else values.to_numpy(zero_copy_only=False)
