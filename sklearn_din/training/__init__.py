"""Training with skorch: the only package that imports it."""

from sklearn_din.training._batches import Rows, TrainingRows, n_steps
from sklearn_din.training._build import build_net
from sklearn_din.training._callbacks import Evaluation, LinearDecay
from sklearn_din.training._epochs import EpochListener
from sklearn_din.training._losses import BinaryLogLoss, MulticlassLogLoss, SquaredError
from sklearn_din.training._optimizers import OPTIMIZERS, sparse_tables
from sklearn_din.training._prediction import predict_attention, predict_raw, predict_raw_together
from sklearn_din.training._progress import make_progress
from sklearn_din.training._regularization import MinibatchAwareL2, WholeTableL2
from sklearn_din.training._runtime import (
    RandomSource,
    draw_seed,
    make_random_source,
    resolve_device,
    threads,
    warn_of_forks,
)
from sklearn_din.training._shares import SharedTable, TableShare
from sklearn_din.training._streams import Part, StreamedRows
from sklearn_din.training._tensor_table import TensorTable
from sklearn_din.training._together import current_processes, training_together

__all__ = [
    "OPTIMIZERS",
    "BinaryLogLoss",
    "EpochListener",
    "Evaluation",
    "LinearDecay",
    "MinibatchAwareL2",
    "MulticlassLogLoss",
    "Part",
    "RandomSource",
    "Rows",
    "SharedTable",
    "SquaredError",
    "StreamedRows",
    "TableShare",
    "TensorTable",
    "TrainingRows",
    "WholeTableL2",
    "build_net",
    "current_processes",
    "draw_seed",
    "make_progress",
    "make_random_source",
    "n_steps",
    "predict_attention",
    "predict_raw",
    "predict_raw_together",
    "resolve_device",
    "sparse_tables",
    "threads",
    "training_together",
    "warn_of_forks",
]
