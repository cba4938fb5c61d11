"""The rows of a fit that several processes share."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklearn_din.estimators._examples import Examples
from sklearn_din.estimators._preparation import prepared
from sklearn_din.nn import DIN
from sklearn_din.preprocessing import EncodedTable
from sklearn_din.training import TableShare, predict_raw, training_together

CPU = torch.device("cpu")


def estimator(**parameters):
    return SimpleNamespace(device_=CPU, scoring="loss", get_params=lambda: parameters)


def examples_of(table, positions, target=None):
    target = np.arange(len(table), dtype=np.float32) if target is None else target
    weight = 1.0 + np.arange(len(table)) % 3
    return Examples(table, target, target, None, weight, np.asarray(positions))


def squared_error(raw, target, weight):
    return (weight * (raw - target) ** 2).mean()


def net_of(table):
    module = DIN(table.layout, embedding_dim=2).eval()
    module.reset_parameters(torch.Generator().manual_seed(0))
    return SimpleNamespace(module_=module, criterion_=squared_error)


def spread(table, processes, is_share):
    """All rows in each process, or every second one (and the rest) in two."""
    if not is_share:
        return table
    rows = np.arange(processes.rank, len(table), processes.count)
    return TableShare(table[rows], rows, len(table))


@pytest.mark.parametrize("is_share", [False, True])
def test_rows_are_spread_and_held_out_rows_scored_as_by_one_process(together, table, is_share):
    training, held_out, net = np.arange(5, 250), np.arange(299, 249, -1), net_of(table)
    alone, validate_alone = prepared(estimator(), examples_of(table, training), examples_of(table, held_out))
    expected = validate_alone(net)

    def work(processes):
        given = spread(table, processes, is_share)
        with training_together(processes):
            training_rows, valid = examples_of(given, training), examples_of(given, held_out)
            rows, validate = prepared(estimator(), training_rows, valid)
            generator = torch.Generator().manual_seed(0)
            batches = rows.batches(batch_size=100, unknown_rate=0.0, shuffling=generator, noise=None)
            return rows, validate(net), [batch.target for batch in batches]

    members = together(2, work)
    for rows, scores, _ in members:
        assert scores == pytest.approx(expected, rel=1e-6)
        assert len(rows) == len(alone)
        assert rows.weight.equal(alone.weight)
    seen = torch.cat([target for member in members for target in member[2]])
    assert sorted(seen.tolist()) == training.tolist()
    assert all(len(target) < 100 for member in members for target in member[2][:1])


def test_rows_given_for_validation_are_scored_as_they_are(together, table):
    other, net = table[:30], net_of(table)
    expected = predict_raw(net.module_, prepared(estimator(), examples_of(other, range(30)), None)[0].table)

    def work(processes):
        with training_together(processes):
            valid = examples_of(other, np.arange(30))
            return prepared(estimator(), examples_of(table, range(300)), valid)[1](net)

    loss = squared_error(expected, torch.arange(30.0), torch.from_numpy(1.0 + np.arange(30) % 3) / 2)
    for scores in together(2, work):
        assert scores["valid_loss"] == pytest.approx(float(loss), rel=1e-6)


def test_without_held_out_rows_nothing_is_scored(table):
    assert prepared(estimator(), examples_of(table, range(300)), None)[1] is None


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda table: examples_of(table[:299], range(299)),
            "same number of rows; .*: 299 in process 1, 300 in process 0",
        ),
        (
            lambda table: examples_of(table, range(299)),
            "All processes must have the same rows of X, y and sample_weight; process 1 and process 0",
        ),
        (
            lambda table: examples_of(table, range(300), np.zeros(300)),
            "All processes must have the same rows of X, y and sample_weight; process 1 and process 0",
        ),
        (
            lambda table: examples_of(table, range(300))._replace(weight=np.ones(300)),
            "All processes must have the same rows of X, y and sample_weight; process 1 and process 0",
        ),
        (
            lambda table: examples_of(table, range(300))._replace(weight=None),
            "All processes must have the same rows of X, y and sample_weight; process 1 and process 0",
        ),
    ],
    ids=["number", "positions", "target", "weight", "no weight"],
)
def test_processes_with_other_rows_are_refused_in_all_of_them(together, table, change, match):
    refused = []

    def work(processes):
        given = examples_of(table, range(300)) if processes.rank == 0 else change(table)
        with training_together(processes), pytest.raises(ValueError, match=match):
            prepared(estimator(), given, None)
        refused.append(processes.rank)

    together(2, work)
    assert sorted(refused) == [0, 1]


def test_processes_whose_columns_have_other_ids_are_refused(together, table):
    columns = {
        name: table.ragged(name) if name in table.layout.list_columns else table[name] for name in table.layout.columns
    }
    other = EncodedTable(replace(table.layout, fingerprint="of another encoder"), columns)

    def work(processes):
        given = table if processes.rank == 0 else other
        with (
            training_together(processes),
            pytest.raises(
                ValueError,
                match="same columns and values of X; process 1 and process 0",
            ),
        ):
            prepared(estimator(), examples_of(given, range(300)), None)
        return True

    assert together(2, work) == [True, True]


@pytest.mark.parametrize("name", ["learning_rate", "max_epochs"])
def test_processes_with_other_parameters_are_refused(together, table, name):
    def work(processes):
        mine = estimator(**{name: processes.rank + 1})
        with (
            training_together(processes),
            pytest.raises(ValueError, match=f"same {name}; .*: 2 in process 1, 1 in proc"),
        ):
            prepared(mine, examples_of(table, range(300)), None)

    together(2, work)


@pytest.mark.parametrize("name", ["verbose", "n_threads", "random_state", "callbacks"])
def test_what_concerns_a_process_alone_may_differ(together, table, name):
    def work(processes):
        mine = estimator(**{name: processes.rank})
        with training_together(processes):
            return len(prepared(mine, examples_of(table, range(300)), None)[0])

    assert together(2, work) == [300, 300]


def test_processes_with_other_features_are_refused_though_their_targets_are_the_same(together, table):
    def work(processes):
        rows = table[np.roll(np.arange(300), processes.rank)]
        with training_together(processes), pytest.raises(ValueError, match="same rows of X, y and sample_weight"):
            prepared(estimator(), examples_of(rows, range(300)), None)

    together(2, work)


def test_processes_with_other_validation_rows_are_refused(together, table):
    def work(processes):
        valid = examples_of(table[processes.rank : 30 + processes.rank], range(30))
        with training_together(processes), pytest.raises(ValueError, match="same rows of X_val, y_val and"):
            prepared(estimator(), examples_of(table, range(300)), valid)

    together(2, work)
