"""Embedding of all columns of a batch, with one table per vocabulary."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from sklearn_din.layout import BehaviorSequence, FeatureLayout
from sklearn_din.nn._batch import Batch, batch_size_of, check_batch, offsets_of, values_of
from sklearn_din.nn._layers import reset_children
from sklearn_din.nn._numbers import NumberEmbedding
from sklearn_din.nn._segments import segment_ids, segment_mean
from sklearn_din.nn._tables import EmbeddingTables, TableName


class EmbeddedSequence(NamedTuple):
    """A behavior sequence as vectors.

    Attributes
    ----------
    candidate : Tensor of shape (batch_size, embedding_dim)
        The counterparts of its shared fields, in their order.
    behaviors : Tensor of shape (n_behaviors, embedding_dim)
        The shared fields, the other fields of ids, recency, the fields of numbers.
    offsets : Tensor of shape (batch_size + 1,)
        Where each history begins, and the end of the last.
    rows : Tensor of shape (n_behaviors,)
        The row that each behavior belongs to.
    """

    candidate: Tensor
    behaviors: Tensor
    offsets: Tensor
    rows: Tensor


class Embedded(NamedTuple):
    """A batch as vectors.

    Attributes
    ----------
    candidate : Tensor of shape (batch_size, embedding_dim)
        All columns of the candidate, each once.
    sequences : dict of str to EmbeddedSequence
        The behavior sequences by name.
    context : Tensor of shape (batch_size, embedding_dim)
        The other categorical columns, the means of the bags, and the numeric columns.
    """

    candidate: Tensor
    sequences: dict[str, EmbeddedSequence]
    context: Tensor


class FeatureEmbedding(nn.Module):
    """Turns the ids of a batch into vectors; candidate and behaviors share one table per vocabulary.

    Parameters
    ----------
    layout : FeatureLayout
        The columns.
    embedding_dim : int or dict
        Columns of the vectors: for all tables, or one for each name in ``layout.tables``. The recency table of a
        sequence is then as wide as the widest table of its fields (of all tables, where it has only numbers).
    recency_embedding : bool, default=True
        Whether behaviors get a vector for their distance from the newest: an id field with a table of ``max_length``
        rows per sequence, row 0 for the newest behavior. Anything older than the last row takes the last.
    init_std : float, default=0.01
        Standard deviation of the initial values.

    Attributes
    ----------
    table_names : tuple
        Names of the tables: those of ``layout.tables``, then ``("recency", name)`` for each sequence.
    candidate_dim, context_dim : int
        Columns of ``candidate`` and ``context`` of the result.
    sequence_dims : dict of str to (int, int)
        Columns of ``candidate`` and ``behaviors`` of each sequence.

    Raises
    ------
    ValueError
        If the layout has no columns, or ``embedding_dim`` is a dict without a table of the layout or with another name.

    Notes
    -----
    Id 0 pads and does not occur in a batch; its vector is zero and stays so. The numbers of a behavior-only field
    become vectors: themselves, and as many learnt hinges as the widest table of its sequence has columns
    (``NumberEmbedding``).

    Examples
    --------
    >>> import torch
    >>> from sklearn_din.nn import FeatureEmbedding
    >>> from sklearn_din.preprocessing import FeatureLayout
    >>> embedding = FeatureEmbedding(FeatureLayout(numeric=("age",)), embedding_dim=8)
    >>> embedding({"age": torch.tensor([0.5, -1.0])}).context
    tensor([[ 0.5000],
            [-1.0000]])
    """

    def __init__(
        self,
        layout: FeatureLayout,
        embedding_dim: int | Mapping[str, int],
        *,
        recency_embedding: bool = True,
        init_std: float = 0.01,
    ) -> None:
        super().__init__()
        if not layout.columns:
            msg = "The layout must have at least one column: got none. Name a categorical, numeric or list column."
            raise ValueError(msg)
        self.layout = layout
        self.recency_embedding = recency_embedding
        self.tables = EmbeddingTables(layout, embedding_dim, recency=recency_embedding, init_std=init_std)
        widths = self.tables.widths
        self.table_names: tuple[TableName, ...] = tuple(widths)
        self._columns = layout.columns_by_table
        self.candidate_dim = sum(widths[name] for name in layout.candidates)
        self.context_dim = sum(widths[column.name] for column in (*layout.context, *layout.bags)) + len(layout.numeric)
        # By position: a column may have a name that a module cannot.
        self.numbers = nn.ModuleList(
            NumberEmbedding(self.tables.own_widths[sequence.name])
            for sequence in layout.sequences
            for _ in sequence.numeric
        )
        self.sequence_dims = {sequence.name: self._sequence_dims(sequence) for sequence in layout.sequences}

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw all tables anew.

        Parameters
        ----------
        generator : torch.Generator, default=None
            Where the values come from; None is torch's global generator.
        """
        reset_children(self, generator)

    def weight(self, name: TableName) -> nn.Parameter:
        """Return the table of this name.

        Parameters
        ----------
        name : str or tuple
            One of ``table_names``.

        Returns
        -------
        torch.nn.Parameter of shape (number of ids, embedding_dim)
            The vectors by id.
        """
        return self.tables.weight(name)

    def ids_by_table(self, batch: Batch) -> dict[TableName, list[Tensor]]:
        """Return all ids of a batch, to know which rows of the tables it uses.

        Parameters
        ----------
        batch : dict
            Tensors by column.

        Returns
        -------
        dict of str or tuple to list of Tensor
            For each table its ids in all columns, repetitions included; of recency, distances from the newest behavior.
        """
        return self._ids_by_table(batch, self._rows(batch))

    def forward(self, batch: Batch) -> Embedded:
        """Embed a batch.

        Parameters
        ----------
        batch : dict
            Tensors by column: all columns of the layout.

        Returns
        -------
        Embedded
            Candidate, sequences and context.

        Raises
        ------
        ValueError
            If a column of the layout is missing, or fields of a sequence differ in length.
        """
        check_batch(batch, self.layout)
        rows = self._rows(batch)
        vectors = self._vectors_by_column(self._ids_by_table(batch, rows))
        numbers = [values_of(batch, name)[:, None] for name in self.layout.numeric]  # each (batch_size, 1)
        hinges = self._hinges(batch)
        bags = [segment_mean(vectors[bag.name], offsets_of(batch, bag.name)) for bag in self.layout.bags]
        context = [vectors[column.name] for column in self.layout.context]
        device = values_of(batch, self.layout.columns[0]).device
        dtype = next(self.parameters(), torch.empty(0)).dtype
        none = torch.zeros((batch_size_of(batch), 0), dtype=dtype, device=device)
        return Embedded(
            candidate=_join([vectors[name] for name in self.layout.candidates], none),
            sequences={
                sequence.name: EmbeddedSequence(
                    candidate=_join([vectors[field.table] for field in sequence.shared], none),
                    behaviors=self._behaviors(sequence, vectors, hinges),
                    offsets=offsets_of(batch, sequence.name),
                    rows=rows[sequence.name],
                )
                for sequence in self.layout.sequences
            },
            context=_join([*context, *bags, *numbers], none),
        )

    def _rows(self, batch: Batch) -> dict[str, Tensor]:
        names = [sequence.name for sequence in self.layout.sequences]
        return {name: segment_ids(offsets_of(batch, name), values_of(batch, name).shape[0]) for name in names}

    def _ids_by_table(self, batch: Batch, rows: Mapping[str, Tensor]) -> dict[TableName, list[Tensor]]:
        ids: dict[TableName, list[Tensor]] = {
            table: [values_of(batch, column) for column in columns] for table, columns in self._columns.items()
        }
        if self.recency_embedding:
            for sequence, row in rows.items():
                ids["recency", sequence] = [_recency(offsets_of(batch, sequence), row, self.layout.max_length)]
        return ids

    def _vectors_by_column(self, ids: Mapping[TableName, Sequence[Tensor]]) -> dict[TableName, Tensor]:
        """Return the vectors of each column of ids, and of each recency table by its name."""
        vectors: dict[TableName, Tensor] = {}
        for table, parts in self.tables(ids).items():
            vectors.update(zip(self._columns.get(table, (table,)), parts, strict=True))
        return vectors

    def _hinges(self, batch: Batch) -> dict[str, Tensor]:
        """Return the vectors of the behavior-only fields of numbers."""
        names = [field.name for sequence in self.layout.sequences for field in sequence.numeric]
        return {name: embed(values_of(batch, name)) for name, embed in zip(names, self.numbers, strict=True)}

    def _behaviors(
        self, sequence: BehaviorSequence, vectors: Mapping[TableName, Tensor], hinges: Mapping[str, Tensor]
    ) -> Tensor:
        fields = (*sequence.shared, *sequence.behavior_only)
        parts = [vectors[field.name] for field in fields if not field.is_numeric]
        if self.recency_embedding:
            parts.append(vectors["recency", sequence.name])
        parts += [hinges[field.name] for field in fields if field.is_numeric]
        return torch.cat(parts, dim=1)  # (n_behaviors, embedding_dim)

    def _sequence_dims(self, sequence: BehaviorSequence) -> tuple[int, int]:
        """Return the columns of candidate and behaviors."""
        widths, own = self.tables.widths, self.tables.own_widths[sequence.name]
        candidate_dim = sum(widths[field.table] for field in sequence.shared)
        own_dim = sum(1 + own if field.is_numeric else widths[field.table] for field in sequence.behavior_only)
        return candidate_dim, candidate_dim + own_dim + (own if self.recency_embedding else 0)


def _recency(offsets: Tensor, rows: Tensor, max_length: int) -> Tensor:
    """Return how many behaviors of the same history are newer: (n_behaviors,)."""
    newest = offsets[1:].index_select(0, rows) - 1
    distance = newest - torch.arange(rows.shape[0], device=rows.device)
    return distance.clamp(max=max_length - 1)


def _join(parts: Sequence[Tensor], none: Tensor) -> Tensor:
    """Return the columns of all parts side by side; ``none`` where there are no parts."""
    return torch.cat(list(parts), dim=1) if parts else none
