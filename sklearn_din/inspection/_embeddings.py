"""The vectors that a network has learnt for the values of a column."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_din.estimators._fitted import split_model
from sklearn_din.layout import FIRST_ID


def embedding_vectors(model: Any, column: str) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the values of a column and the vector of each.

    Parameters
    ----------
    model : Pipeline or estimator
        Fitted: a pipeline that begins with a ``BehaviorEncoder`` and ends with an estimator of this library, or such an
        estimator alone.
    column : str
        A categorical column, a bag, or a field of ids of a behavior sequence. A candidate column and its list columns
        share their vectors.

    Returns
    -------
    values : ndarray of shape (n_values,)
        The values that have a vector, the most frequent one first; None stands for missing, where that is a value of
        its own. For an estimator alone their ids, 2, 3, ….
    vectors : ndarray of shape (n_values, embedding_dim), float32
        A copy. The vectors of padding and of unknown values are not among them.

    Raises
    ------
    ValueError
        If the column has no vectors: it holds numbers, or there is no such column.
    TypeError
        If ``model`` is a pipeline without an encoder, or no model of this library.
    NotFittedError
        If the model is not fitted.

    See Also
    --------
    attention_weights : What the network makes of them.

    Notes
    -----
    A vector is what the rows made of it. Those of rare values stay close to where they began, near zero.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_din import BehaviorEncoder, DINClassifier
    >>> from sklearn_din.datasets import make_clicks
    >>> from sklearn_din.inspection import embedding_vectors
    >>> X, y = make_clicks(300, n_categories=20, random_state=0)
    >>> encoder = BehaviorEncoder({"hist_item": "item", "hist_category": "category"})
    >>> model = make_pipeline(encoder, DINClassifier(embedding_dim=8, max_epochs=1, random_state=0)).fit(X, y)
    >>> values, vectors = embedding_vectors(model, "hist_category")
    >>> values.shape, vectors.shape
    ((20,), (20, 8))
    """
    encoder, estimator = split_model(model)
    columns_by_table = estimator.layout_.columns_by_table
    tables = [table for table, columns in columns_by_table.items() if column in columns]
    if not tables:
        there = [name for columns in columns_by_table.values() for name in columns]
        msg = (
            f"There are no vectors of the column {column!r}. "
            f"Columns that have vectors: {', '.join(map(repr, there)) or 'none'}."
        )
        raise ValueError(msg)
    weight = estimator.module_.embedding.weight(tables[0]).detach().cpu().numpy()
    if encoder is None:
        return np.arange(FIRST_ID, len(weight)), weight[FIRST_ID:].copy()
    return encoder.vocabularies_[tables[0]].values, weight[FIRST_ID:].copy()
