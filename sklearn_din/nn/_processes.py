"""Several processes that train one network, each on its part of every batch, and what they tell each other."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class Processes:
    """The processes of a group. All of them must call the same methods in the same order.

    Parameters
    ----------
    group : torch.distributed.ProcessGroup or None, default=None
        Initialized; None for the group of all.

    Attributes
    ----------
    rank : int
        Which of them this is, from 0.
    count : int
        How many there are.
    """

    def __init__(self, group: Any = None) -> None:
        self.group = group
        self.rank: int = dist.get_rank(group)
        self.count: int = dist.get_world_size(group)

    def sum(self, values: Tensor) -> Tensor:
        """Add up the tensors of all processes.

        Parameters
        ----------
        values : Tensor
            Of the same shape in each; it is written to.

        Returns
        -------
        Tensor
            ``values``, the same in each.
        """
        dist.all_reduce(values, group=self.group)
        return values

    def greatest(self, values: Tensor) -> Tensor:
        """Take the greatest of the values of all processes, place by place.

        Parameters
        ----------
        values : Tensor
            Of the same shape in each; it is written to.

        Returns
        -------
        Tensor
            ``values``, the same in each.
        """
        dist.all_reduce(values, dist.ReduceOp.MAX, group=self.group)
        return values

    def gather(self, values: Tensor) -> Tensor:
        """Put the tensors of all processes side by side.

        Parameters
        ----------
        values : Tensor
            Of the same shape in each.

        Returns
        -------
        Tensor of shape (count, *shape of values)
            The same in each, in order of rank.
        """
        values = values.contiguous()
        parts = [torch.empty_like(values) for _ in range(self.count)]
        dist.all_gather(parts, values, group=self.group)
        return torch.stack(parts)

    def gather_rows(self, values: Tensor) -> list[Tensor]:
        """Collect tensors that have more rows in one process than in another.

        Parameters
        ----------
        values : Tensor of shape (n, ...)
            Of any number of rows.

        Returns
        -------
        list of Tensor
            Those of all processes, in order of rank.
        """
        n_rows = self.gather(torch.tensor([len(values)], device=values.device)).flatten().tolist()
        padded = values.new_zeros((max(n_rows), *values.shape[1:]))
        padded[: len(values)] = values
        return [part[:n] for part, n in zip(self.gather(padded), n_rows, strict=True)]

    def gather_objects(self, value: Any) -> list[Any]:
        """Collect what each process has, by way of pickles: the processes of a group run the same program.

        Parameters
        ----------
        value : object
            Can be pickled.

        Returns
        -------
        list
            Those of all processes, in order of rank.
        """
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value, group=self.group)
        return values

    def check_same(self, facts: Mapping[str, Any]) -> None:
        """Raise in every process where they differ in what they must have in common.

        Parameters
        ----------
        facts : mapping of str to object
            By what the user calls it: what can be compared, and pickled. Numbers and strings are shown.

        Raises
        ------
        ValueError
            If a process has another value than the first.
        """
        everywhere = self.gather_objects(dict(facts))
        for rank, theirs in enumerate(everywhere):
            for name, value in everywhere[0].items():
                if theirs[name] != value:
                    shown = isinstance(value, str) and isinstance(theirs[name], str)
                    values = f": {theirs[name]} in process {rank}, {value} in process 0" if shown else ""
                    msg = (
                        f"All processes must have the same {name}; process {rank} and process 0 have not{values}. "
                        "Run the same program in each, on the same data in the same order."
                    )
                    raise ValueError(msg)

    def first(self, value: Any) -> Any:
        """Return what the first process has.

        Parameters
        ----------
        value : object
            Can be pickled.

        Returns
        -------
        object
            The same in each.
        """
        values = [value]
        dist.broadcast_object_list(values, group_src=0, group=self.group)
        return values[0]
