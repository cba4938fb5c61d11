"""A fitted pipeline to an ONNX file."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_din import __version__
from sklearn_din.estimators import DINClassifier, DINRegressor
from sklearn_din.persistence._container import replacing
from sklearn_din.persistence._onnx._columns import ROWS, RawColumns, encode_inputs
from sklearn_din.persistence._onnx._graph import GraphBuilder
from sklearn_din.persistence._onnx._network import logits_of
from sklearn_din.preprocessing import BehaviorEncoder


def export_onnx(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted pipeline as an ONNX graph that takes raw columns and needs no Python.

    Parameters
    ----------
    model : Pipeline
        Fitted, of a ``BehaviorEncoder`` and a ``DINClassifier`` or ``DINRegressor``.
    path : str or path
        The file. An old one is replaced in one step, when the new one is whole and on the disk.

    Raises
    ------
    ImportError
        If the package onnx is missing (extra ``onnx``).
    TypeError
        If the model is no such pipeline, or a part of it can't be in a graph: a vocabulary of values of several kinds,
        of fractions, of bytes or of integers of 2**63 and more, or another ``numeric_transformer`` than
        ``SimpleImputer``, ``StandardScaler`` and pipelines of them.
    ValueError
        If two inputs would have the same name, or the graph would be larger than 2 GB.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    OSError
        If the file can't be written; an old one is then left as it was.

    See Also
    --------
    save_model : Writes a file that ``load_model`` makes a pipeline of again.

    Notes
    -----
    **Inputs** are the columns that the encoder reads, under their names. Columns with a value per row are
    ``(n_samples,)``; list columns are ``(n_samples, length)``, padded on the right with whatever value, for example
    ``""`` or 0. Values have the type that the vocabulary was learnt from: strings, int64, or booleans. Numbers are
    float64, NaN where missing. ``<list column>_length``, ``(n_samples,)`` int64, is the number of values in each row:
    one for each sequence, named after its first column, and one for each bag. ``<column>_is_missing``,
    ``(n_samples,)`` boolean, exists where training made a missing category a value of its own. The number of rows and
    the length are free; longer histories are cut to the newest ``max_length`` in the graph.

    A value that the vocabulary does not hold is unknown, as in the encoder; give any such value for a missing element
    of a list.

    **Output** is ``probabilities``, ``(n_samples, n_classes)`` float32, with the columns in the order of ``classes_``,
    or ``prediction``, ``(n_samples,)`` float64, in the units of the target.

    The metadata of the file hold ``sklearn_din`` (the version), ``estimator`` (its class) and ``classes``: a JSON list
    with ``str(label)`` for each column of ``probabilities``.

    The graph is of opset 17, ``ai.onnx.ml`` opset 3 and IR version 8: ONNX Runtime 1.15 and later.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_din import BehaviorEncoder, DINClassifier
    >>> from sklearn_din.datasets import make_clicks
    >>> from sklearn_din.persistence import export_onnx
    >>> X, y = make_clicks(500, random_state=0)
    >>> encoder = BehaviorEncoder({"hist_item": "item", "hist_category": "category"})
    >>> model = make_pipeline(encoder, DINClassifier(max_epochs=1, random_state=0)).fit(X, y)
    >>> import onnx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "clicks.onnx"
    ...     export_onnx(model, path)
    ...     graph = onnx.load(path).graph
    >>> [each.name for each in graph.input]
    ['item', 'category', 'hist_item', 'hist_category', 'hist_item_length']
    >>> [each.name for each in graph.output]
    ['probabilities']
    """
    encoder, estimator = _split(model)
    data = _graph_of(encoder, estimator)
    with replacing(Path(path)) as temporary, temporary.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _split(model: Any) -> tuple[BehaviorEncoder, Any]:
    """Return encoder and estimator, both fitted."""
    named: list[Any] = model.steps if isinstance(model, Pipeline) else [("", model)]
    steps = [step for _, step in named if not (step is None or isinstance(step, str))]
    kinds = [type(step) for step in steps]
    if kinds not in ([BehaviorEncoder, DINClassifier], [BehaviorEncoder, DINRegressor]):
        names = [type(model).__name__] if not isinstance(model, Pipeline) else [kind.__name__ for kind in kinds]
        advice = "Give its best_estimator_." if hasattr(model, "best_estimator_") else "Give that part of the model."
        if isinstance(model, str | os.PathLike):
            advice = "The model comes first, then the path."
        msg = (
            "export_onnx takes a fitted pipeline of a BehaviorEncoder and a DINClassifier or DINRegressor: got "
            f"{' and '.join(names)}. {advice}"
        )
        raise TypeError(msg)
    encoder, estimator = steps
    check_is_fitted(encoder)
    check_is_fitted(estimator)
    if encoder.layout_ != estimator.layout_:
        msg = (
            f"The {type(estimator).__name__} was not fitted on rows of this encoder: vocabularies or columns differ. "
            "Give the pipeline as it was fitted."
        )
        raise ValueError(msg)
    return encoder, estimator


def _graph_of(encoder: BehaviorEncoder, estimator: Any) -> bytes:
    """Return the file."""
    is_classifier = isinstance(estimator, DINClassifier)
    output = "probabilities" if is_classifier else "prediction"
    columns = RawColumns.of(encoder)
    graph = GraphBuilder(estimator.module_, columns.inputs(output), output)
    logits = logits_of(graph, estimator.module_, encode_inputs(graph, columns))
    metadata = {"sklearn_din": __version__, "estimator": type(estimator).__name__}
    if not is_classifier:
        return graph.serialized(_prediction(graph, estimator, logits), "DOUBLE", (ROWS,), metadata)
    classes = estimator.classes_.tolist()
    metadata["classes"] = json.dumps([str(label) for label in classes])
    return graph.serialized(_probabilities(graph, logits, len(classes)), "FLOAT", (ROWS, len(classes)), metadata)


def _probabilities(graph: GraphBuilder, logits: str, n_classes: int) -> str:
    """Return the probabilities (n_samples, n_classes), float32."""
    if n_classes > 2:
        return graph.cast(graph.op("Softmax", logits, axis=1), "FLOAT")
    both = graph.op("Concat", graph.op("Neg", logits), logits, axis=1)
    return graph.cast(graph.op("Sigmoid", both), "FLOAT")


def _prediction(graph: GraphBuilder, estimator: Any, outputs: str) -> str:
    """Return the predictions (n_samples,), float64, in the units of the target."""
    flat = graph.op("Squeeze", outputs, graph.constant([1], np.int64))
    scaled = graph.op("Mul", flat, graph.constant(estimator._scale, np.float64))
    return graph.op("Add", scaled, graph.constant(estimator._mean, np.float64))
