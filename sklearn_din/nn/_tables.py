"""The embedding tables of a layout: one per vocabulary, and one of recency per behavior sequence."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Generator, Tensor, nn

from sklearn_din.layout import FeatureLayout
from sklearn_din.nn._lookup import look_up

# A column that names a vocabulary, or ("recency", sequence): a tuple is never the name of a column.
TableName: TypeAlias = str | tuple[str, str]


class EmbeddingTables(nn.Module):
    """Vectors by id, drawn from a normal distribution.

    Parameters
    ----------
    layout : FeatureLayout
        The columns.
    embedding_dim : int or dict
        Columns of the tables: of all, or of each name in ``layout.tables``. The recency table of a sequence is then as
        wide as the widest table of its fields (of all tables, where it has only numbers).
    recency : bool
        Whether each sequence has a table of ``max_length`` rows, by distance from the newest behavior.
    init_std : float
        Standard deviation of the initial values.

    Attributes
    ----------
    sparse : frozenset of str or tuple
        Names of the tables whose gradient is a sparse tensor of the rows looked up, rather than a dense one; none at
        first. To be set by who trains: it takes an optimizer for sparse gradients.
    widths : dict of str or tuple to int
        Columns of each table by its name: those of ``layout.tables``, then ``("recency", name)`` for each sequence.
    own_widths : dict of str to int
        Columns of what a sequence has for itself, by its name: as many as the widest table of its fields has, or of all
        tables where it has only numbers.

    Raises
    ------
    ValueError
        If ``embedding_dim`` is a dict that lacks a table of the layout or has another name.

    Notes
    -----
    Id 0 pads: its vector is zero and gets no gradient. A recency table has no padding.
    """

    def __init__(
        self, layout: FeatureLayout, embedding_dim: int | Mapping[str, int], *, recency: bool, init_std: float
    ) -> None:
        super().__init__()
        self.init_std = init_std
        self.sparse: frozenset[TableName] = frozenset()
        self.widths: dict[TableName, int] = _table_widths(layout, embedding_dim)
        widest = max(embedding_dim.values(), default=1) if isinstance(embedding_dim, Mapping) else embedding_dim
        self.own_widths = {
            sequence.name: max(
                (self.widths[field.table] for field in sequence.fields if not field.is_numeric), default=widest
            )
            for sequence in layout.sequences
        }
        if recency:
            self.widths |= {("recency", name): width for name, width in self.own_widths.items()}
        rows = [layout.max_length if isinstance(name, tuple) else layout.tables[name] for name in self.widths]
        # By position: a column may have a name that a module cannot, such as "" or "a.b".
        self.weights = nn.ParameterList(map(torch.empty, rows, self.widths.values()))
        self.reset_parameters()

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw all tables anew.

        Parameters
        ----------
        generator : torch.Generator, default=None
            Where the values come from; None is torch's global generator.
        """
        for name, weight in zip(self.widths, self.weights, strict=True):
            nn.init.normal_(weight, std=self.init_std, generator=generator)
            if isinstance(name, str):
                nn.init.zeros_(weight[0])

    def weight(self, name: TableName) -> nn.Parameter:
        """Return one table.

        Parameters
        ----------
        name : str or tuple
            One of ``widths``.

        Returns
        -------
        torch.nn.Parameter of shape (number of ids, embedding_dim)
            The vectors by id.
        """
        weight: nn.Parameter = self.weights[list(self.widths).index(name)]
        return weight

    def forward(self, ids: Mapping[TableName, Sequence[Tensor]]) -> dict[TableName, tuple[Tensor, ...]]:
        """Look ids up.

        Parameters
        ----------
        ids : dict of str or tuple to sequence of Tensor
            For each table, by name, the columns of ids: each (n,), int32 or int64.

        Returns
        -------
        dict of str or tuple to tuple of Tensor
            For each table the vectors of each column: (n, embedding_dim).
        """
        vectors: dict[TableName, tuple[Tensor, ...]] = {}
        for name, columns in ids.items():
            # One look-up per table: each makes a gradient of the size of the whole table.
            looked_up = look_up(
                self.weight(name),
                torch.cat(list(columns)),
                has_padding=isinstance(name, str),
                is_sparse=name in self.sparse,
            )
            vectors[name] = torch.split(looked_up, [column.shape[0] for column in columns])
        return vectors


def _table_widths(layout: FeatureLayout, embedding_dim: int | Mapping[str, int]) -> dict[TableName, int]:
    names = layout.tables
    if not isinstance(embedding_dim, Mapping):
        return dict.fromkeys(names, embedding_dim)
    _check_names(embedding_dim, names)
    return {name: embedding_dim[name] for name in names}


def _check_names(embedding_dim: Mapping[str, int], names: Mapping[str, int]) -> None:
    """Refuse widths by name that are not exactly those of the tables."""
    unknown = [name for name in embedding_dim if name not in names]
    missing = [name for name in names if name not in embedding_dim]
    if unknown or missing:
        msg = (
            "embedding_dim must name each embedding table and nothing else: "
            f"got no width for {missing}, and one for {unknown}, which have no table. "
            f"Give a width for each of {list(names)}; a behavior field with a counterpart shares its table."
        )
        raise ValueError(msg)
