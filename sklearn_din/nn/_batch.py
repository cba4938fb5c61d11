"""What a batch is, and how its columns are read."""

from typing import TypeAlias

from torch import Tensor

from sklearn_din.layout import FeatureLayout

# A batch by column: ids or numbers (batch_size,), and for a list column the flat values (n_behaviors,) with offsets
# (batch_size + 1,). Fields of one sequence share their offsets.
Batch: TypeAlias = dict[str, Tensor | tuple[Tensor, Tensor]]


def batch_size_of(batch: Batch) -> int:
    """Return the number of rows of a batch.

    Parameters
    ----------
    batch : dict
        Tensors by column.

    Returns
    -------
    int
        0 or more.

    Raises
    ------
    ValueError
        If the batch has no columns.
    """
    for column in batch.values():
        return column[1].shape[0] - 1 if isinstance(column, tuple) else column.shape[0]
    msg = "A batch must have at least one column: got none. Pass the columns of the layout."
    raise ValueError(msg)


def values_of(batch: Batch, name: str) -> Tensor:
    """Return the ids or numbers of a column.

    Parameters
    ----------
    batch : dict
        Tensors by column.
    name : str
        One of them.

    Returns
    -------
    Tensor of shape (batch_size,) or (n_behaviors,)
        The second of a list column.
    """
    column = batch[name]
    return column[0] if isinstance(column, tuple) else column


def offsets_of(batch: Batch, name: str) -> Tensor:
    """Return the offsets of a list column.

    Parameters
    ----------
    batch : dict
        Tensors by column.
    name : str
        A list column.

    Returns
    -------
    Tensor of shape (batch_size + 1,)
        Where each row's values begin, and the end of the last.
    """
    return batch[name][1]


def check_batch(batch: Batch, layout: FeatureLayout) -> None:
    """Check that a batch has all columns, and as many values in each field of a sequence.

    Parameters
    ----------
    batch : dict
        Tensors by column.
    layout : FeatureLayout
        The columns.

    Raises
    ------
    ValueError
        If a column is missing, or a field has more or fewer values than the first of its sequence.
    """
    missing = [name for name in layout.columns if name not in batch]
    if missing:
        msg = f"A batch must have all columns of the layout: got no {missing}. Add them to the batch."
        raise ValueError(msg)
    for sequence in layout.sequences:
        lengths = {field.name: values_of(batch, field.name).shape[0] for field in sequence.fields}
        if len(set(lengths.values())) > 1:
            msg = f"The fields of a sequence must have a value for each behavior: got {lengths} values. Align them."
            raise ValueError(msg)
