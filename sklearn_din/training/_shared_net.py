"""The skorch net where several processes train one network, each on its part of every batch."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from sklearn_din.nn._batch import Batch
from sklearn_din.nn._lookup import gradient_of_rows, rows_of_gradient
from sklearn_din.nn._processes import Processes
from sklearn_din.training._batches import MiniBatch, TrainingRows
from sklearn_din.training._net import DINNet
from sklearn_din.utils._checksum import checksum


class SharedNet(DINNet):
    """A ``DINNet`` whose steps are those that one process would make with whole batches, up to rounding.

    Parameters
    ----------
    *args, **kwargs
        Of ``DINNet``.
    processes : Processes
        Who trains: all of them with the same rows spread over them, the same initial weights, the same generators.
    """

    def __init__(self, *args: Any, processes: Processes, **kwargs: Any) -> None:
        self.processes = processes
        super().__init__(*args, **kwargs)

    def call_module(self, features: Batch) -> Tensor:
        """Call the network by way of torch's wrapper, which adds up the gradients of all processes."""
        raw: Tensor = self.call_parallel(features)
        return raw

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Let torch watch the gradients, but for those that are sparse."""
        super().on_train_begin(net, X=X, y=y, **kwargs)
        weights = self.module_.state_dict().values()
        self.processes.check_same({"weights to begin with": checksum(each.cpu().numpy() for each in weights)})
        tables = self.module_.embedding.tables
        sparse = {id(tables.weight(name)) for name in tables.sparse}
        ignored = [name for name, parameter in self.module_.named_parameters() if id(parameter) in sparse]
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(self.module_, ignored)
        # Buffers are equal everywhere already: the statistics of a batch are those of all processes.
        group = self.processes.group
        parallel = DistributedDataParallel(self.module_, process_group=group, forward_sync_buffers=False)
        self.call_parallel = partial(parallel)  # skorch wants modules to be made elsewhere

    def partial_fit(self, X: TrainingRows, y: None = None, classes: None = None, **fit_params: Any) -> "SharedNet":
        """Train on the rows, and let go of torch's wrapper, whatever happens.

        It holds the process group: what is left of it after an error would close the group later on, which may hang.
        """
        try:
            super().partial_fit(X, y, classes, **fit_params)
        finally:
            self.__dict__.pop("call_parallel", None)
            self.module_.__dict__.pop("_ddp_params_and_buffers_to_ignore", None)
        return self

    def train_step_single(self, batch: MiniBatch, **fit_params: Any) -> dict[str, Any]:
        """Compute the loss of the whole mini-batch and its gradients."""
        self._set_training(True)
        self.module_.set_share(batch.share)
        try:
            raw = self.raw_output(batch.features)
            share = len(raw) / len(batch)
            loss = self.criterion_(raw, batch.target, batch.weight) * share if share else raw.sum() * 0
            (loss * self.processes.count).backward()  # of which torch takes the mean
        finally:
            self.module_.set_share(None)
        tables = self.module_.embedding.tables
        for name in tables.widths:  # in the same order everywhere
            if name in tables.sparse:
                _add_up(tables.weight(name), self.processes)
        return {"loss": self.processes.sum(loss.detach()), "y_pred": raw.detach()}


def _add_up(weight: Any, processes: Processes) -> None:
    """Replace a sparse gradient by the mean of those of all processes."""
    ids, values = (torch.cat(processes.gather_rows(each)) for each in rows_of_gradient(weight.grad))
    rows, places = torch.unique(ids, return_inverse=True)
    total = values.new_zeros((len(rows), weight.shape[1])).index_add_(0, places, values)
    weight.grad = gradient_of_rows(rows, total.div_(processes.count), weight.shape)
