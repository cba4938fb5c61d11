"""What "auto" means, and that each parameter is checked."""

import pytest
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_din.estimators._parameters import training_length

AUTO = {"batch_size": "auto", "max_epochs": "auto", "n_iter_no_change": 2}


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "max_epochs"),
    [
        (1_000_000, 1024, 14),
        (120_000, 1024, 14),
        (80_000, 1024, 15),
        (60_000, 512, 20),
        (10_000, 128, 20),
        (300, 32, 60),
        (20, 32, 600),
        (1, 32, 600),
    ],
)
def test_auto_gives_little_data_more_epochs_of_smaller_batches(n_rows, batch_size, max_epochs):
    length = training_length(n_rows, **AUTO)

    assert (length.batch_size, length.max_epochs) == (batch_size, max_epochs)
    assert length.patience == round(2 * max_epochs / 6)


@pytest.mark.parametrize(("mean_behaviors", "batch_size"), [(8, 1024), (20, 512), (50, 256), (5_000, 32)])
def test_long_histories_make_smaller_batches(mean_behaviors, batch_size):
    assert training_length(300_000, mean_behaviors=mean_behaviors, **AUTO).batch_size == batch_size


def test_given_numbers_are_taken_as_they_are():
    assert training_length(300, batch_size=7, max_epochs=3, n_iter_no_change=2) == (7, 3, 2)


def test_epochs_follow_a_given_batch_size():
    assert training_length(600, **(AUTO | {"batch_size": 100})).max_epochs == 100


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_layer_sizes", (8, 0)),
        ("hidden_layer_sizes", (2.5,)),
        ("hidden_layer_sizes", ("a",)),
        ("hidden_layer_sizes", [[8, 4]]),
        ("attention_hidden_layer_sizes", (-1,)),
        ("embedding_dim", {"item": 0, "category": 3}),
        ("embedding_dim", {"item": 4}),
        ("class_weight", {0: -1.0, 1: 1.0}),
        ("class_weight", {0: float("nan"), 1: 1.0}),
        ("embedding_dim", 0),
        ("attention_hidden_layer_sizes", 3),
        ("attention_activation", "swish"),
        ("attention_normalization", "none"),
        ("attention_interaction", "product"),
        ("hidden_layer_sizes", "200,80"),
        ("activation", "gelu"),
        ("interest_product", "yes"),
        ("dropout", 1.0),
        ("attention_dropout", -0.1),
        ("batch_norm", 2),
        ("pooling", "max"),
        ("recency_embedding", None),
        ("unknown_rate", 1.0),
        ("behavior_dropout", 1.0),
        ("candidate_bias", "item"),
        ("match_counts", None),
        ("optimizer", "lion"),
        ("learning_rate", 0.0),
        ("learning_rate_schedule", "cosine"),
        ("max_epochs", 0),
        ("batch_size", "all"),
        ("clip_norm", 0),
        ("embedding_regularization", "l1"),
        ("embedding_alpha", -1.0),
        ("alpha", -1.0),
        ("embedding_init_std", -0.1),
        ("early_stopping", "auto"),
        ("validation_fraction", 1.0),
        ("n_iter_no_change", 0),
        ("scoring", 3),
        ("evaluations_per_epoch", 0),
        ("class_weight", "equal"),
        ("warm_start", "no"),
        ("callbacks", 1),
        ("n_threads", 0),
        ("random_state", "seed"),
        ("verbose", -1),
    ],
)
def test_a_wrong_value_is_refused_by_name(make_classifier, table, clicks, name, value):
    with pytest.raises((InvalidParameterError, ValueError), match=name):
        make_classifier(**{name: value}).fit(table, clicks[1])
