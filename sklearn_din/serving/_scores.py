"""The raw output of a network for the candidates of one user."""

from collections.abc import Iterator, Set
from copy import deepcopy

import torch
from torch import Tensor

from sklearn_din.nn import DIN, AttentionPooling
from sklearn_din.nn._batch import Batch
from sklearn_din.nn._inference import layers_in_inference
from sklearn_din.nn._ranking import ranking_features
from sklearn_din.training import TensorTable
from sklearn_din.training._prediction import evaluate
from sklearn_din.training._runtime import keep_freed_memory

BLOCK = 16_384  # candidates at a time: what the final network makes of them is some 30 MiB


def rank_raw(module: DIN, table: TensorTable, of_user: Set[str]) -> Tensor:
    """Return what ``training.predict_raw`` does, of rows that have lists in common.

    Parameters
    ----------
    module : DIN
        Left in evaluation mode.
    table : TensorTable
        A row for each candidate, at least one, on the device of the module. Lists that are the same in all rows stand
        in the first row; in the others they are empty.
    of_user : set of str
        The list columns that are the same in all rows.

    Returns
    -------
    Tensor of shape (n_candidates, n_outputs), float64
        Logits, on the CPU.
    """
    keep_freed_memory()
    evaluate(module)
    # In float64 without activation units, as in predict_raw.
    has_units = any(isinstance(pooling, AttentionPooling) for pooling in module.poolings)
    head = module.mlp if has_units else deepcopy(module.mlp).double()
    dtype = head.output.weight.dtype
    with torch.inference_mode(), torch.autocast(table.device.type, enabled=False):
        _, steps = layers_in_inference([*head.hidden, head.output])
        parts = []
        for batch in _blocks(table, of_user):
            x = ranking_features(module, batch, of_user).to(dtype)
            for step in steps:
                x = step(x)
            parts.append(x.double() + module.bias(batch))
        return torch.cat(parts).cpu()


def _blocks(table: TensorTable, of_user: Set[str]) -> Iterator[Batch]:
    """Yield the rows in blocks; the lists of the user stand in the first row of each."""
    rows = torch.arange(table.n_rows, device=table.device)
    first, *rest = rows.split(BLOCK)
    batch = table.batch(first)
    lists = {name: batch[name] for name in of_user}
    yield batch
    for block in rest:
        batch = table.batch(block)
        for name, (values, offsets) in lists.items():
            batch[name] = values, offsets[: len(block) + 1]
        yield batch
