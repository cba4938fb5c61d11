"""The raw output of a network for all rows of a table, and the attention it paid."""

from copy import deepcopy

import numpy as np
import torch
from torch import Tensor

from sklearn_din.nn import DIN, AttentionPooling
from sklearn_din.nn._processes import Processes
from sklearn_din.training._runtime import keep_freed_memory
from sklearn_din.training._tensor_table import TensorTable, batches_in_order

LARGEST_BLOCK, SMALLEST_BLOCK = 4096, 64  # rows at a time
BEHAVIORS_PER_BLOCK = 16_384  # about: what is kept of them for a block stays in the processor's cache


def predict_raw(module: DIN, table: TensorTable, positions: Tensor | None = None) -> Tensor:
    """Return the raw output of the network in evaluation mode, the same inside of any autocast.

    Without activation units the multilayer perceptron runs in float64, so that an output does not depend, beyond 1e-12
    or so, on the rows it shares a block with. An activation unit rounds to float32, and so does the rest then.

    Parameters
    ----------
    module : DIN
        Left in evaluation mode.
    table : TensorTable
        On the device of the module; 0 rows are allowed.
    positions : Tensor of shape (n_samples,), int64, optional
        Which rows; default all.

    Returns
    -------
    Tensor of shape (n_samples,) or (n_samples, n_classes), float64
        Logits, on the CPU.
    """
    keep_freed_memory()
    evaluate(module)
    has_units = any(isinstance(pooling, AttentionPooling) for pooling in module.poolings)
    head = module.mlp if has_units else deepcopy(module.mlp).double()
    with torch.inference_mode(), torch.autocast(table.device.type, enabled=False):
        blocks = batches_in_order(table, _block(table), positions)
        dtype = head.output.weight.dtype
        parts = [head(module.features(batch).to(dtype)).double() + module.bias(batch) for batch in blocks]
        if not parts:
            parts = [torch.zeros((0, head.output.out_features), dtype=torch.float64)]
        raw = torch.cat(parts).cpu()
    return raw.squeeze(1) if raw.shape[1] == 1 else raw


def predict_raw_together(module: DIN, table: TensorTable, positions: Tensor, processes: Processes) -> Tensor:
    """Return what ``predict_raw`` does, where each process has all rows and computes a part of them.

    Parameters
    ----------
    module, table, positions
        As for ``predict_raw``; the same in every process.
    processes : Processes
        All of them call this.

    Returns
    -------
    Tensor of shape (n_samples,) or (n_samples, n_classes), float64
        Logits of all rows, on the CPU, in every process.
    """
    own = positions.tensor_split(processes.count)[processes.rank]
    raw = predict_raw(module, table, own).to(table.device)
    return torch.cat(processes.gather_rows(raw)).cpu()


def predict_attention(module: DIN, table: TensorTable) -> dict[str, np.ndarray]:
    """Return the weight of each behavior of each row, flat in the order of the table, the same inside of any autocast.

    Parameters
    ----------
    module : DIN
        Left in evaluation mode.
    table : TensorTable
        On the device of the module.

    Returns
    -------
    dict of str to ndarray of shape (n_behaviors,), float32
        By the name of the sequence.
    """
    evaluate(module)
    names = [sequence.name for sequence in table.layout.sequences]
    with torch.inference_mode(), torch.autocast(table.device.type, enabled=False):
        parts = [module.attention_weights(batch) for batch in batches_in_order(table, _block(table))]
    empty = torch.zeros(0)
    return {name: torch.cat([empty, *(part[name].cpu() for part in parts)]).numpy() for name in names}


def evaluate(module: DIN) -> None:
    """Set a network, with all that it is made of, to evaluation mode, and write to nothing if it is in that already.

    Parameters
    ----------
    module : DIN
        Other threads may predict with it.
    """
    if any(part.training for part in module.modules()):
        module.eval()


def _block(table: TensorTable) -> int:
    rows = int(BEHAVIORS_PER_BLOCK / max(table.mean_behaviors, 1))
    return min(max(rows, SMALLEST_BLOCK), LARGEST_BLOCK)
