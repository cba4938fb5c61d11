"""Many candidates of one user: what the final network sees of each, with the history embedded and projected once."""

from collections.abc import Set
from dataclasses import replace

import torch
from torch import Tensor, nn

from sklearn_din.layout import UNKNOWN_ID, BehaviorSequence
from sklearn_din.nn._attention import ActivationUnit, AttentionPooling
from sklearn_din.nn._batch import Batch, values_of
from sklearn_din.nn._din import DIN
from sklearn_din.nn._embedding import EmbeddedSequence, FeatureEmbedding
from sklearn_din.nn._inference import layers_in_inference, linear
from sklearn_din.nn._matches import match_counts

GROUP = 16  # behaviors whose weights are multiplied with candidates at once
PAIRS = 4096  # of a candidate and a behavior: 80 units of so many are 1.25 MiB


def ranking_features(network: DIN, batch: Batch, of_user: Set[str]) -> Tensor:
    """Compute what ``network.features`` does of rows that have lists in common, without gradients.

    Parameters
    ----------
    network : DIN
        In evaluation mode.
    batch : dict
        Tensors by column, a row for each candidate, at least one. Lists that are the same in all rows stand in the
        first row; in the others they are empty.
    of_user : set of str
        The list columns that are the same in all rows: of a sequence all fields or none.

    Returns
    -------
    Tensor of shape (batch_size, n_features)
        As if the lists stood in all rows, up to rounding.
    """
    embedding = network.embedding
    embedded = embedding(batch)
    interests, products, counts = [], [], []
    for sequence, pooling in zip(embedding.layout.sequences, network.poolings, strict=True):
        vectors = embedded.sequences[sequence.name]
        is_of_user = sequence.name in of_user
        interest = _interest_of_user(pooling, vectors) if is_of_user else pooling(*vectors)[0]
        interests.append(interest)  # (batch_size, behavior_dim)
        if network.interest_product:
            products.append(vectors.candidate * interest[:, : vectors.candidate.shape[1]])
        if network.match_counts and is_of_user:
            counts += _matches_of_user(sequence, batch)
        elif network.match_counts:
            counts += match_counts(replace(embedding.layout, sequences=(sequence,)), batch)
    context = _with_bags_of_user(embedding, embedded.context, of_user)
    return torch.cat([embedded.candidate, *interests, *products, context, *counts], dim=1)


def pair_scores(unit: ActivationUnit, candidate: Tensor, behaviors: Tensor) -> Tensor:
    """Score each behavior of one history against each of many candidates, without gradients.

    With the history fixed, the first layer is linear in the candidate: its pre-activations of all pairs are
    ``a @ M + row``, where ``M`` (candidate_dim, length * units) and ``row`` are those of the history.

    Parameters
    ----------
    unit : ActivationUnit
        In evaluation mode, with a candidate of at least one column.
    candidate : Tensor of shape (n_candidates, candidate_dim)
        At least one.
    behaviors : Tensor of shape (length, behavior_dim)
        The history, maybe empty.

    Returns
    -------
    Tensor of shape (n_candidates, length)
        Scores.
    """
    scale, steps = layers_in_inference([*unit.mlp.hidden, unit.mlp.output][1:])
    of_candidate, of_behavior, of_products = unit._first_weights()
    constant: Tensor = unit.mlp.first.bias
    if scale is not None:
        constant = constant * scale
        of_candidate, of_behavior, of_products = (
            weight * scale[:, None] for weight in (of_candidate, of_behavior, of_products)
        )
    row = linear(behaviors, of_behavior, constant)  # (length, units)
    scores = candidate.new_empty(len(candidate), len(behaviors))
    for start in range(0, len(behaviors), GROUP):
        group = slice(start, start + GROUP)
        of_pairs = of_candidate + _weights_of_products(unit, of_products, behaviors[group])
        weight, bias = of_pairs.flatten(0, 1), row[group].flatten()  # (group * units, candidate_dim), the units
        block = max(1, PAIRS // len(row[group]))
        for a, out in zip(candidate.split(block), scores[:, group].split(block), strict=True):
            h = linear(a, weight, bias).view(-1, len(of_candidate))  # (block * group, units)
            for step in steps:
                h = step(h)
            out.copy_(h.view(out.shape))
    return scores


def _weights_of_products(unit: ActivationUnit, of_products: Tensor, behaviors: Tensor) -> Tensor:
    """Return what the products with each behavior add to the weights of the candidate: (length, units, columns)."""
    n_columns = unit.candidate_dim
    if not of_products.shape[1]:
        return of_products.new_zeros(len(behaviors), 1, 1)
    if unit.interaction == "outer":
        by_pair = of_products.unflatten(1, (n_columns, n_columns))  # (units, of the candidate, of the behavior)
        return torch.einsum("uij,lj->lui", by_pair, behaviors[:, :n_columns])
    return of_products * behaviors[:, None, :n_columns]


def _interest_of_user(pooling: nn.Module, sequence: EmbeddedSequence) -> Tensor:
    """Return the interest (n_candidates, behavior_dim) in each candidate, from the history in the first row."""
    candidate, behaviors, offsets, rows = sequence
    if not isinstance(pooling, AttentionPooling) or not candidate.shape[1]:  # the same for all candidates
        interest: Tensor = pooling(candidate[:1], behaviors, offsets[:2], rows)[0]
        return interest.expand(len(candidate), -1)
    weights = pair_scores(pooling.unit, candidate, behaviors)  # (n_candidates, length)
    if pooling.normalization == "softmax":
        weights = weights.softmax(1)
    elif pooling.normalization == "sigmoid":
        weights = weights.sigmoid()
    return weights @ behaviors


def _matches_of_user(sequence: BehaviorSequence, batch: Batch) -> list[Tensor]:
    """Return what ``match_counts`` does of one sequence, whose behaviors stand in the first row."""
    counts = []
    for field in sequence.shared:
        ids = values_of(batch, field.name)
        ids = ids[ids != UNKNOWN_ID].sort().values  # (at most length,)
        candidate = values_of(batch, field.table)
        first, end = (torch.searchsorted(ids, candidate, right=is_end) for is_end in (False, True))
        counts.append(end - first)  # (n_candidates,)
    return [torch.stack(counts, dim=1).float().log1p()] if counts else []


def _with_bags_of_user(embedding: FeatureEmbedding, context: Tensor, of_user: Set[str]) -> Tensor:
    """Return the context with the means of the bags in the first row in all rows."""
    layout, widths = embedding.layout, embedding.tables.widths
    start = sum(widths[column.name] for column in layout.context)
    parts = list(context.split([start, *(widths[bag.name] for bag in layout.bags), len(layout.numeric)], dim=1))
    for place, bag in enumerate(layout.bags, start=1):
        if bag.name in of_user:
            parts[place] = parts[place][:1].expand(len(context), -1)
    return torch.cat(parts, dim=1)
