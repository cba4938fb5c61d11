"""Checks of options and shapes at the border of each module."""

from collections.abc import Sequence

from torch import Tensor


def check_option(parameter: str, value: object, options: Sequence[str | None]) -> None:
    """Refuse a value that is not among the options of a parameter.

    Parameters
    ----------
    parameter : str
        Its name, for the message.
    value : object
        What was given.
    options : sequence of str or None
        What is allowed.

    Raises
    ------
    ValueError
        If ``value`` is none of ``options``.
    """
    if value not in options:
        allowed = ", ".join(repr(option) for option in options)
        msg = f"{parameter} names no known option: got {value!r}. Choose one of {allowed}."
        raise ValueError(msg)


def check_width(argument: str, tensor: Tensor, width: int) -> None:
    """Refuse a tensor that has not the shape (n, ``width``).

    Parameters
    ----------
    argument : str
        Its name, for the message.
    tensor : Tensor
        What was given.
    width : int
        Columns that the module was built for.

    Raises
    ------
    ValueError
        If ``tensor`` has another number of dimensions or columns.
    """
    if tensor.ndim != 2 or tensor.shape[1] != width:
        msg = (
            f"{argument} must have two dimensions and {width} columns: got the shape {tuple(tensor.shape)}. "
            "Build the module for this width, or pass the columns that it was built for."
        )
        raise ValueError(msg)


def check_offsets(offsets: Tensor, batch_size: int) -> None:
    """Refuse offsets that do not belong to a batch of this size.

    Parameters
    ----------
    offsets : Tensor
        What was given; (batch_size + 1,) is expected.
    batch_size : int
        Rows of the batch.

    Raises
    ------
    ValueError
        If ``offsets`` has another shape. The values are not looked at: on a GPU that would wait for the device.
    """
    if offsets.shape != (batch_size + 1,):
        msg = (
            f"offsets must have the shape ({batch_size + 1},), one more than the {batch_size} rows of the batch: "
            f"got the shape {tuple(offsets.shape)}. Pass where each history begins, and the end of the last."
        )
        raise ValueError(msg)
