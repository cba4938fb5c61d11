"""Training on Parquet files that do not fit into memory."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from sklearn_din.distributed._group import check_single
from sklearn_din.distributed._pipeline import encoder_and_estimator
from sklearn_din.distributed._row_groups import RowGroups
from sklearn_din.estimators._streaming import fit_stream
from sklearn_din.preprocessing import BehaviorEncoder, EncodedTable
from sklearn_din.utils._pieces import shown

BUFFER_SIZE = 200_000


def fit_out_of_core(
    model: Pipeline, X: Any, y: str, *, sample_weight: str | None = None, buffer_size: int = BUFFER_SIZE
) -> Pipeline:
    """Fit a pipeline on Parquet files, of which no more than some row groups are in memory at a time.

    Parameters
    ----------
    model : Pipeline
        Of a ``BehaviorEncoder`` and a ``DINClassifier`` or ``DINRegressor``.
    X : str, path, list of paths or pyarrow.dataset.Dataset
        A Parquet file, a folder of them (folders called ``name=value`` are a column of strings or integers), files, or
        a dataset. All columns but those named below are features.
    y : str
        The column of the target.
    sample_weight : str, default=None
        The column of the weights; None for 1.
    buffer_size : int, default=200_000
        Rows that are mixed with each other, encoded and in memory, at least 1. The largest row group comes on top.

    Returns
    -------
    Pipeline
        ``model``, fitted.

    Raises
    ------
    ValueError
        If a column is missing or has a missing target or weight, files have other columns than each other,
        ``buffer_size`` is below 1, several processes were launched, or as in ``fit``.
    TypeError
        If ``model`` is no such pipeline, or ``X`` not of Parquet files.

    See Also
    --------
    fit_distributed : Several processes, each with its part of the rows in memory.

    Notes
    -----
    The encoder learns from all row groups, one after another, as ``partial_fit`` does. An epoch reads the row groups in
    random order into a buffer, shuffles it, trains on one half and fills it up again. All else is as in ``fit``: the
    schedule of the learning rate, the regularization with counts over all rows, early stopping. Held out are random
    rows, each class in proportion: ``validation_fraction`` of all, but ``buffer_size`` at most. ``warm_start`` goes on
    from the last weights where the files give the same vocabulary.

    Each epoch reads and encodes all rows anew, and three passes come before the first. Row groups of 10,000 to 100,000
    rows are a good size: the smaller ones mix better, the larger ones are read faster. Memory is for the vocabularies,
    the embeddings, ``buffer_size`` rows and one row group, however many rows there are.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_din import BehaviorEncoder, DINClassifier
    >>> from sklearn_din.datasets import make_clicks
    >>> from sklearn_din.distributed import fit_out_of_core
    >>> X, y = make_clicks(500, random_state=0)
    >>> encoder = BehaviorEncoder({"hist_item": "item", "hist_category": "category"})
    >>> model = make_pipeline(encoder, DINClassifier(max_epochs=1, random_state=0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     X.assign(click=y).to_parquet(f"{folder}/day_1.parquet", row_group_size=100)
    ...     model = fit_out_of_core(model, folder, "click")
    >>> model.predict_proba(X).shape
    (500, 2)
    """
    encoder, estimator = encoder_and_estimator(model)
    if isinstance(buffer_size, bool) or not isinstance(buffer_size, int | np.integer) or buffer_size < 1:
        msg = f"buffer_size must be a whole number of rows, at least 1: got {shown(buffer_size)}. Give 200_000, say."
        raise ValueError(msg)
    check_single("fit_out_of_core")
    groups = RowGroups(X, y, sample_weight)
    with groups.naming_places():
        encoder._fit_chunks(groups.frame(group) for group in range(len(groups)))
    fit_stream(estimator, _Encoded(groups, encoder), int(buffer_size))
    return model


class _Encoded:
    """Row groups as an estimator takes them."""

    def __init__(self, groups: RowGroups, encoder: BehaviorEncoder) -> None:
        self.groups = groups
        self.encoder = encoder

    def __len__(self) -> int:
        return len(self.groups)

    def table(self, part: int) -> EncodedTable:
        with self.groups.naming_places():
            return self.encoder.transform(self.groups.frame(part))

    def target_and_weight(self, part: int) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
        return self.groups.target_and_weight(part)

    def place(self, part: int) -> str:
        return self.groups.place(part)
