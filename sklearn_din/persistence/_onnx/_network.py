"""The Deep Interest Network in a graph: ids and numbers in, logits out."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_din.layout import UNKNOWN_ID, BehaviorField, BehaviorSequence
from sklearn_din.nn import DIN
from sklearn_din.persistence._onnx._attention import pool
from sklearn_din.persistence._onnx._columns import EncodedInputs
from sklearn_din.persistence._onnx._graph import GraphBuilder
from sklearn_din.persistence._onnx._history import History, averaged, summed
from sklearn_din.persistence._onnx._layers import mlp


def logits_of(graph: GraphBuilder, module: DIN, encoded: EncodedInputs) -> str:
    """Add the network.

    Parameters
    ----------
    graph : GraphBuilder
        Of this module.
    module : DIN
        Has the weights.
    encoded : EncodedInputs
        Its input.

    Returns
    -------
    str
        Name of the logits, (n_samples, n_outputs), float64 as the estimators have them.
    """
    logits = graph.cast(mlp(graph, module.mlp, _features(graph, module, encoded)), "DOUBLE")
    if module.candidate_bias is None:
        return logits
    pairs = zip(module.candidate_bias.columns, module.candidate_bias.weights, strict=True)
    biases = [graph.op("Gather", graph.weight(weight), encoded.ids[name]) for name, weight in pairs]
    total = biases[0] if len(biases) == 1 else graph.op("Sum", *biases)
    return graph.op("Add", logits, graph.cast(total, "DOUBLE"))


def _features(graph: GraphBuilder, module: DIN, encoded: EncodedInputs) -> str:
    """Return what the final network sees, (n_samples, n_features), in the order of ``DIN.features``."""
    layout, embedding = module.embedding.layout, module.embedding
    interests, products, counts = [], [], []
    for sequence, pooling in zip(layout.sequences, module.poolings, strict=True):
        history = encoded.histories[sequence.name]
        candidate_dim, behavior_dim = embedding.sequence_dims[sequence.name]
        candidate = _joined(graph, [_vectors(graph, module, encoded, field.table) for field in sequence.shared])
        behaviors = _behaviors(graph, module, encoded, sequence)
        interests.append(pool(graph, pooling, history, candidate, behaviors, behavior_dim))
        if module.interest_product and candidate:
            bounds = [graph.constant([place], np.int64) for place in (0, candidate_dim, 1)]
            products.append(graph.op("Mul", candidate, graph.op("Slice", interests[-1], *bounds)))
        if module.match_counts:
            counts += [_count_matches(graph, encoded, history, field) for field in sequence.shared]
    candidates = [_vectors(graph, module, encoded, name) for name in layout.candidates]
    context = [_vectors(graph, module, encoded, column.name) for column in layout.context]
    for bag in layout.bags:
        vectors = _vectors(graph, module, encoded, bag.name)
        context.append(averaged(graph, encoded.histories[bag.name], vectors, embedding.tables.widths[bag.name]))
    numeric = [] if encoded.numeric is None else [encoded.numeric]
    return _joined(graph, [*candidates, *interests, *products, *context, *numeric, *counts])


def _vectors(graph: GraphBuilder, module: DIN, encoded: EncodedInputs, column: str) -> str:
    """Return the vectors of a column of ids, a row for each of its values."""
    tables = {name: table for table, names in module.embedding.layout.columns_by_table.items() for name in names}
    weight = graph.weight(module.embedding.weight(tables[column]))
    return graph.op("Gather", weight, encoded.ids[column])


def _behaviors(graph: GraphBuilder, module: DIN, encoded: EncodedInputs, sequence: BehaviorSequence) -> str:
    """Return the vectors of the behaviors, (n_behaviors, embedding_dim), in the order of ``FeatureEmbedding``."""
    embedding = module.embedding
    fields = [field for field in (*sequence.shared, *sequence.behavior_only) if not field.is_numeric]
    parts = [_vectors(graph, module, encoded, field.name) for field in fields]
    if embedding.recency_embedding:
        weight = graph.weight(embedding.weight(("recency", sequence.name)))
        parts.append(graph.op("Gather", weight, _distances(graph, encoded.histories[sequence.name])))
    numeric = [field.name for each in embedding.layout.sequences for field in each.numeric]
    modules: dict[str, Any] = dict(zip(numeric, embedding.numbers, strict=True))
    for field in sequence.numeric:
        parts += _hinges(graph, modules[field.name].hinges, encoded.behavior_numbers[field.name])
    return _joined(graph, parts)


def _distances(graph: GraphBuilder, history: History) -> str:
    """Return how many behaviors of the same history are newer, (n_behaviors,)."""
    lengths = graph.op("Gather", history.lengths, history.rows)
    last = graph.op("Sub", lengths, graph.constant(1, np.int64))
    return graph.op("Sub", last, history.positions)


def _hinges(graph: GraphBuilder, linear: Any, numbers: str) -> list[str]:
    """Return the numbers, (n_behaviors, 1), and their hinges."""
    column = graph.op("Unsqueeze", numbers, graph.constant([1], np.int64))
    lines = graph.op("Gemm", column, graph.weight(linear.weight), graph.weight(linear.bias), transB=1)
    return [column, graph.op("Relu", lines)]


def _count_matches(graph: GraphBuilder, encoded: EncodedInputs, history: History, field: BehaviorField) -> str:
    """Return log(1 + number of behaviors with the candidate's id), (n_samples, 1); unknown ids match nothing."""
    ids = encoded.ids[field.name]  # (n_behaviors,)
    candidate = graph.op("Gather", encoded.ids[field.table], history.rows)
    is_known = graph.op("Greater", ids, graph.constant(UNKNOWN_ID, np.int64))
    is_match = graph.op("And", graph.op("Equal", ids, candidate), is_known)
    column = graph.op("Unsqueeze", graph.cast(is_match, "FLOAT"), graph.constant([1], np.int64))
    count = summed(graph, history, column, 1)
    return graph.op("Log", graph.op("Add", count, graph.constant(1, np.float32)))


def _joined(graph: GraphBuilder, parts: Sequence[str]) -> str:
    """Return the columns of all parts side by side; an empty name where there are no parts."""
    if len(parts) < 2:
        return parts[0] if parts else ""
    return graph.op("Concat", *parts, axis=1)
