"""Training with skorch: the only package that imports it."""

from sklearn_din.training._batches import Rows, TensorTable, n_steps
from sklearn_din.training._callbacks import Evaluation, LinearDecay
from sklearn_din.training._epochs import EpochListener
from sklearn_din.training._losses import BinaryLogLoss, MulticlassLogLoss, SquaredError
from sklearn_din.training._net import build_net
from sklearn_din.training._optimizers import OPTIMIZERS, sparse_tables
from sklearn_din.training._prediction import predict_attention, predict_raw
from sklearn_din.training._progress import make_progress
from sklearn_din.training._regularization import MinibatchAwareL2, WholeTableL2, count_rows
from sklearn_din.training._runtime import (
    RandomSource,
    make_random_source,
    resolve_device,
    threads,
    warn_of_forks,
)

__all__ = [
    "OPTIMIZERS",
    "BinaryLogLoss",
    "EpochListener",
    "Evaluation",
    "LinearDecay",
    "MinibatchAwareL2",
    "MulticlassLogLoss",
    "RandomSource",
    "Rows",
    "SquaredError",
    "TensorTable",
    "WholeTableL2",
    "build_net",
    "count_rows",
    "make_progress",
    "make_random_source",
    "n_steps",
    "predict_attention",
    "predict_raw",
    "resolve_device",
    "sparse_tables",
    "threads",
    "warn_of_forks",
]
