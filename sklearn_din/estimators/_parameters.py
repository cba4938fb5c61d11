"""What the parameters of the estimators may be, and what "auto" means for a number of rows."""

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import ClassVar, NamedTuple

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_din.training import OPTIMIZERS
from sklearn_din.utils._doc_links import DocLinkMixin

ACTIVATIONS = StrOptions({"dice", "prelu", "relu", "sigmoid", "tanh"})

LARGEST_BATCH, SMALLEST_BATCH = 1024, 32
BATCHES_PER_EPOCH = 64  # at least, down to the smallest batch
BEHAVIORS_PER_BATCH = 16_384  # about: more of them leave the processor's cache, and learn less per epoch
EPOCHS = 14  # at least, with the linear schedule
PATIENCE_EPOCHS = 6  # what n_iter_no_change is meant for, where the epochs are found by themselves
ROWS_SEEN = 1_200_000  # over all epochs together, as far as FULL_EPOCHS give: embeddings learn once per occurrence
FULL_EPOCHS = 20
STEPS = 600  # at least, for a few hundred rows


class DINParameters(DocLinkMixin, BaseEstimator):
    """An estimator with the parameters that all of ours have; ``DINClassifier`` describes them."""

    _parameter_constraints: ClassVar[dict] = {
        "embedding_dim": [Interval(Integral, 1, None, closed="left"), Mapping],
        "attention_hidden_layer_sizes": ["array-like"],
        "attention_activation": [ACTIVATIONS],
        "attention_normalization": [StrOptions({"softmax", "sigmoid"}), None],
        "attention_interaction": [StrOptions({"difference_product", "outer", "concatenation"})],
        "hidden_layer_sizes": ["array-like"],
        "activation": [ACTIVATIONS],
        "interest_product": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "attention_dropout": [Interval(Real, 0, 1, closed="left")],
        "batch_norm": ["boolean"],
        "candidate_bias": ["boolean"],
        "pooling": [StrOptions({"attention", "mean", "sum"})],
        "recency_embedding": ["boolean"],
        "match_counts": ["boolean"],
        "unknown_rate": [Interval(Real, 0, 1, closed="left")],
        "behavior_dropout": [Interval(Real, 0, 1, closed="left")],
        "optimizer": [StrOptions(set(OPTIMIZERS))],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "learning_rate_schedule": [StrOptions({"linear", "plateau", "constant"})],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
        "embedding_regularization": [StrOptions({"minibatch_aware", "l2"}), None],
        "embedding_alpha": [Interval(Real, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "sparse_embeddings": ["boolean", StrOptions({"auto"})],
        "embedding_init_std": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "scoring": [str, callable],
        "evaluations_per_epoch": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, None],
        "device": [str, torch.device],
        "mixed_precision": ["boolean"],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        embedding_dim=16,
        attention_hidden_layer_sizes=(80, 40),
        attention_activation="dice",
        attention_normalization="softmax",
        attention_interaction="difference_product",
        hidden_layer_sizes=(200, 80),
        activation="dice",
        interest_product=True,
        dropout=0.1,
        attention_dropout=0.0,
        batch_norm=False,
        candidate_bias=False,
        pooling="attention",
        recency_embedding=True,
        match_counts=True,
        unknown_rate=0.05,
        behavior_dropout=0.8,
        optimizer="adam",
        learning_rate=6e-3,
        learning_rate_schedule="linear",
        max_epochs="auto",
        batch_size="auto",
        clip_norm=5.0,
        embedding_regularization="minibatch_aware",
        embedding_alpha=3.0,
        alpha=0.0,
        sparse_embeddings="auto",
        embedding_init_std=0.01,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=2,
        scoring="loss",
        evaluations_per_epoch=1,
        warm_start=False,
        callbacks=None,
        device="auto",
        mixed_precision=False,
        n_threads=None,
        random_state=None,
        verbose=0,
    ):
        self.embedding_dim = embedding_dim
        self.attention_hidden_layer_sizes = attention_hidden_layer_sizes
        self.attention_activation = attention_activation
        self.attention_normalization = attention_normalization
        self.attention_interaction = attention_interaction
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.interest_product = interest_product
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.batch_norm = batch_norm
        self.candidate_bias = candidate_bias
        self.pooling = pooling
        self.recency_embedding = recency_embedding
        self.match_counts = match_counts
        self.unknown_rate = unknown_rate
        self.behavior_dropout = behavior_dropout
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.clip_norm = clip_norm
        self.embedding_regularization = embedding_regularization
        self.embedding_alpha = embedding_alpha
        self.alpha = alpha
        self.sparse_embeddings = sparse_embeddings
        self.embedding_init_std = embedding_init_std
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.evaluations_per_epoch = evaluations_per_epoch
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.mixed_precision = mixed_precision
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose


class TrainingLength(NamedTuple):
    """How long to train, as numbers: batch size, epochs, and evaluations without gain before it stops."""

    batch_size: int
    max_epochs: int
    patience: int


def training_length(
    n_rows: int,
    *,
    mean_behaviors: float = 0.0,
    batch_size: int | str,
    max_epochs: int | str,
    n_iter_no_change: int,
) -> TrainingLength:
    """Replace ``"auto"`` by numbers that fit the number of training rows.

    Batches, epochs and patience belong together: little data needs small batches and more epochs, and then an epoch is
    a small part of the training, so that the patience, counted in evaluations, grows with the epochs.

    Parameters
    ----------
    n_rows : int
        Training rows, at least 1.
    mean_behaviors : float
        Behaviors per row, those of all sequences together.
    batch_size, max_epochs : int or "auto"
        As given to the estimator.
    n_iter_no_change : int
        Evaluations without gain, for a training of 6 epochs; scaled in proportion where ``max_epochs`` is "auto".

    Returns
    -------
    TrainingLength
        Numbers only.

    Examples
    --------
    >>> training_length(260_000, batch_size="auto", max_epochs="auto", n_iter_no_change=2)
    TrainingLength(batch_size=1024, max_epochs=14, patience=5)
    >>> training_length(260_000, mean_behaviors=50, batch_size="auto", max_epochs="auto", n_iter_no_change=2)
    TrainingLength(batch_size=256, max_epochs=14, patience=5)
    >>> training_length(300, batch_size="auto", max_epochs="auto", n_iter_no_change=2)
    TrainingLength(batch_size=32, max_epochs=60, patience=20)
    """
    if isinstance(batch_size, str):
        wanted = min(n_rows / BATCHES_PER_EPOCH, BEHAVIORS_PER_BATCH / max(mean_behaviors, 1))
        power: int = 2 ** int(math.log2(max(wanted, 1)))
        batch_size = min(max(power, SMALLEST_BATCH), LARGEST_BATCH)
    if not isinstance(max_epochs, str):
        return TrainingLength(batch_size, max_epochs, n_iter_no_change)
    full_epochs = min(math.ceil(ROWS_SEEN / n_rows), FULL_EPOCHS)
    epochs = max(EPOCHS, full_epochs, math.ceil(STEPS / math.ceil(n_rows / batch_size)))
    return TrainingLength(batch_size, epochs, round(n_iter_no_change * epochs / PATIENCE_EPOCHS))
