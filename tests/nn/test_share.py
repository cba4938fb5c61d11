"""A batch that several processes compute in parts is the batch that one of them would compute."""

from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import torch

from sklearn_din.nn import DIN
from sklearn_din.nn._blocked_scores import blocked_scores
from sklearn_din.nn._share import BatchShare, Share, Shared, offsets_of_lengths, set_share

N_ROWS = 12
SMALL = {
    "embedding_dim": 3,
    "attention_hidden_layer_sizes": (6, 5),
    "hidden_layer_sizes": (7, 6),
    "embedding_init_std": 1.0,
}
SPLITS = [
    [range(9), range(9, 12)],
    [[1, 4, 5, 6, 11], [0, 2, 9], [3, 7, 8, 10]],
    [[], range(12)],
    [range(5), [], range(5, 12)],
]
OPTIONS = [
    {},
    {"dropout": 0.5, "attention_dropout": 0.5},
    {"dropout": 0.0, "behavior_dropout": 0.0},
    {"activation": "prelu", "attention_activation": "prelu"},
    {"activation": "relu", "attention_activation": "relu"},
    {"activation": "sigmoid", "attention_activation": "sigmoid"},
    {"activation": "tanh", "attention_activation": "tanh"},
    {"batch_norm": True},
    {"attention_interaction": "outer"},
    {"attention_interaction": "concatenation"},
    {"attention_normalization": "sigmoid"},
    {"attention_normalization": None},
    {"attention_hidden_layer_sizes": (), "hidden_layer_sizes": ()},
    {"pooling": "mean"},
    {"pooling": "sum"},
    {"interest_product": False, "match_counts": False, "recency_embedding": False},
    {"candidate_bias": True, "n_outputs": 3},
]


def make_batch(layout, lengths=None, n_rows=N_ROWS):
    """Random rows; ``lengths`` of the histories of each sequence, else random ones of 0 to 4."""
    rng = np.random.default_rng(0)
    batch = {column.name: torch.from_numpy(rng.integers(1, column.n_ids, n_rows)) for column in layout.categorical}
    batch |= {name: torch.from_numpy(rng.normal(size=n_rows)) for name in layout.numeric}
    columns = [sequence.fields for sequence in layout.sequences] + [(bag,) for bag in layout.bags]
    for fields in columns:
        drawn = rng.integers(0, layout.max_length + 1, n_rows) if lengths is None else lengths
        offsets = torch.tensor([0, *np.cumsum(drawn)])
        for field in fields:
            n = int(offsets[-1])
            ids = rng.normal(size=n) if field.n_ids is None else rng.integers(1, field.n_ids, n)
            batch[field.name] = torch.from_numpy(ids), offsets
    return batch


def part_of(batch, rows):
    """Rows of a batch, one after another."""
    part = {}
    for name, column in batch.items():
        if isinstance(column, tuple):
            values, offsets = column
            lists = [values[offsets[row] : offsets[row + 1]] for row in rows]
            offsets = torch.tensor([0, *np.cumsum([len(each) for each in lists])], dtype=torch.int64)
            part[name] = torch.cat([values[:0], *lists]), offsets
        else:
            part[name] = column[list(rows)]
    return part


def share_of(batch, rows, processes):
    offsets = {name: column[1] for name, column in batch.items() if isinstance(column, tuple)}
    n_rows = next(len(column) for column in batch.values() if not isinstance(column, tuple))
    return BatchShare(Share(n_rows, torch.tensor(list(rows), dtype=torch.int64), processes), offsets)


def step(network, batch, upstream):
    """Outputs, gradients and statistics of a training step."""
    network.set_generator(torch.Generator().manual_seed(1))
    out = network.train()(batch)
    network.zero_grad()
    (out * upstream).sum().backward()
    gradients = {name: parameter.grad.clone() for name, parameter in network.named_parameters()}
    return out.detach(), gradients, {name: buffer.clone() for name, buffer in network.named_buffers()}


def make_upstream(batch, n_outputs=1):
    n_rows = next(len(column) for column in batch.values() if not isinstance(column, tuple))
    shape = (n_rows,) if n_outputs == 1 else (n_rows, n_outputs)
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


def assert_shares_make_the_whole(together, network, batch, split, tolerance=1e-9):
    upstream = make_upstream(batch, network.mlp.output.out_features)
    out, gradients, statistics = step(deepcopy(network), batch, upstream)
    networks = [deepcopy(network) for _ in split]

    def work(processes):
        rows = list(split[processes.rank])
        own = networks[processes.rank]
        own.set_share(share_of(batch, rows, processes))
        return step(own, part_of(batch, rows), upstream[rows])

    members = together(len(split), work)
    for rows, (part, _, _) in zip(split, members, strict=True):
        torch.testing.assert_close(part, out[list(rows)], rtol=tolerance, atol=tolerance)
    for name, gradient in gradients.items():
        total = sum(member[1][name] for member in members)
        torch.testing.assert_close(total, gradient, rtol=tolerance, atol=tolerance)
    for name, statistic in statistics.items():
        for member in members:
            torch.testing.assert_close(member[2][name], statistic, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("split", SPLITS, ids=str)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_outputs_gradients_and_statistics_are_those_of_the_whole_batch(together, randomize, layout, options, split):
    network = randomize(DIN(layout, **SMALL | options))

    assert_shares_make_the_whole(together, network, make_batch(layout), split)


@pytest.mark.parametrize("options", [{}, {"attention_dropout": 0.5}], ids=["blocked", "plain"])
def test_a_share_leaves_traces_in_the_outputs(together, randomize, layout, options):
    network = randomize(DIN(layout, **SMALL | options))
    batch = make_batch(layout)
    whole, _, _ = step(deepcopy(network), batch, make_upstream(batch))
    alone, _, _ = step(network, part_of(batch, range(9)), make_upstream(batch)[:9])

    assert not torch.allclose(alone, whole[:9], rtol=0.01)


@pytest.mark.parametrize("options", [{}, {"attention_dropout": 0.5}, {"pooling": "sum"}], ids=str)
@pytest.mark.parametrize(
    "lengths", [[0] * 12, [0] * 10 + [1, 0], [0] * 5 + [2] + [0] * 6], ids=["none", "one", "those of one row"]
)
def test_a_batch_with_few_behaviors_or_none_is_that_of_one_process(together, randomize, layout, lengths, options):
    network = randomize(DIN(layout, **SMALL | options))

    assert_shares_make_the_whole(together, network, make_batch(layout, lengths), SPLITS[0])


@pytest.mark.parametrize("options", [{}, {"batch_norm": True}], ids=str)
@pytest.mark.parametrize("split", [[[0], []], [[], [0]]], ids=str)
def test_a_batch_of_one_row_is_that_of_one_process(together, randomize, layout, split, options):
    network = randomize(DIN(layout, **SMALL | options))

    assert_shares_make_the_whole(together, network, make_batch(layout, [3], n_rows=1), split)


def test_a_layout_without_histories_has_only_rows_to_share(together, randomize, layout):
    plain = type(layout)(categorical=layout.categorical, numeric=layout.numeric)
    network = randomize(DIN(plain, **SMALL))

    assert_shares_make_the_whole(together, network, make_batch(plain), SPLITS[1])


def in_single_precision(column):
    if isinstance(column, tuple):
        return in_single_precision(column[0]), column[1]
    return column.float() if column.is_floating_point() else column


def test_single_precision_is_equal_up_to_its_rounding(together, layout):
    network = DIN(layout, **SMALL | {"dropout": 0.3, "batch_norm": True})
    network.reset_parameters(torch.Generator().manual_seed(0))
    batch = {name: in_single_precision(column) for name, column in make_batch(layout).items()}

    assert_shares_make_the_whole(together, network, batch, SPLITS[1], tolerance=2e-6)


def in_bfloat16(work):
    with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False):
        return work()


@pytest.mark.parametrize("options", [{}, {"batch_norm": True}], ids=str)
def test_statistics_of_products_in_bfloat16_are_as_precise_as_those_of_one_process(together, layout, options):
    network = DIN(layout, **SMALL | {"hidden_layer_sizes": (7,), "attention_hidden_layer_sizes": (6,)} | options)
    network.reset_parameters(torch.Generator().manual_seed(0))
    batch = {name: in_single_precision(column) for name, column in make_batch(layout).items()}
    upstream, networks = make_upstream(batch), [deepcopy(network) for _ in SPLITS[1]]
    out, gradients, statistics = in_bfloat16(lambda: step(network, batch, upstream))

    def work(processes):
        rows = SPLITS[1][processes.rank]
        networks[processes.rank].set_share(share_of(batch, rows, processes))
        return in_bfloat16(lambda: step(networks[processes.rank], part_of(batch, rows), upstream[rows]))

    members = together(3, work)
    for rows, (part, _, own) in zip(SPLITS[1], members, strict=True):
        assert part.dtype == out.dtype
        torch.testing.assert_close(part, out[rows], rtol=0.02, atol=0.02)
        for name, statistic in statistics.items():
            if "poolings" in name or name.startswith("mlp.hidden.1."):  # of what nothing was rounded before
                torch.testing.assert_close(own[name], statistic, rtol=1e-3, atol=1e-4)
    for name, gradient in gradients.items():
        total = sum(member[1][name] for member in members)
        torch.testing.assert_close(total, gradient, rtol=0.1, atol=0.1)


def test_a_step_on_many_behaviors_takes_several_blocks_in_each_process(together, randomize, layout, monkeypatch):
    monkeypatch.setattr("sklearn_din.nn._attention.blocked_scores", partial(blocked_scores, block=5))
    network = randomize(DIN(layout, **SMALL))

    assert_shares_make_the_whole(together, network, make_batch(layout), SPLITS[3])


def test_sparse_gradients_of_the_members_add_up_too(together, randomize, layout):
    network = randomize(DIN(layout, **SMALL))
    network.embedding.tables.sparse = frozenset(layout.tables)
    batch, split = make_batch(layout), SPLITS[1]
    _, gradients, _ = step(deepcopy(network), batch, make_upstream(batch))
    networks = [deepcopy(network) for _ in split]

    def work(processes):
        rows = list(split[processes.rank])
        networks[processes.rank].set_share(share_of(batch, rows, processes))
        return step(networks[processes.rank], part_of(batch, rows), make_upstream(batch)[rows])

    members = together(3, work)
    sparse = {name for name, gradient in gradients.items() if gradient.is_sparse}
    assert len(sparse) == len(layout.tables)
    for name in sparse:
        total = sum(member[1][name].to_dense() for member in members)
        torch.testing.assert_close(total, gradients[name].to_dense())


class Nobody:
    """Processes that nothing may be told."""

    def __getattr__(self, name):
        raise AssertionError(name)


@pytest.mark.parametrize("options", [{}, {"batch_norm": True, "attention_dropout": 0.5}], ids=str)
def test_inference_takes_no_notice_of_the_share(randomize, layout, options):
    network = randomize(DIN(layout, **SMALL | options)).eval()
    batch = make_batch(layout)
    part = part_of(batch, range(9))

    with torch.no_grad():
        expected = network(part)
        network.set_share(share_of(batch, range(9), Nobody()))
        assert network(part).equal(expected)
    assert network(part).allclose(expected)


def test_without_its_share_a_network_is_as_before(randomize, layout):
    batch = make_batch(layout)
    network = randomize(DIN(layout, **SMALL | {"dropout": 0.5}))
    expected = step(deepcopy(network), batch, make_upstream(batch))
    with torch.no_grad():  # in inference, so that the poolings get their share and nothing is learnt
        network.set_share(share_of(batch, range(9), Nobody()))
        network.eval()(part_of(batch, range(9)))

    assert any(module.share is not None for module in network.poolings.modules() if isinstance(module, Shared))
    network.set_share(None)
    assert all(module.share is None for module in network.modules() if isinstance(module, Shared))
    for got, wanted in zip(step(network, batch, make_upstream(batch)), expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=0)


def test_values_of_a_list_column_are_those_of_the_rows():
    share = BatchShare(Share(4, torch.tensor([0, 2, 3]), None), {"hist": torch.tensor([0, 2, 5, 5, 6])})

    n, places, _ = share.values("hist")
    assert n == 6
    assert places.tolist() == [0, 1, 5]


def test_a_share_is_for_the_modules_that_ask_for_it():
    modules = [torch.nn.ReLU(), Shared()]
    share = Share(2, torch.tensor([0]), None)
    set_share(modules, share)

    assert modules[1].share is share
    assert not hasattr(modules[0], "share")


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_offsets_of_lengths_begin_at_zero_and_end_with_the_sum(dtype):
    offsets = offsets_of_lengths(torch.tensor([2, 0, 3], dtype=dtype))

    assert offsets.tolist() == [0, 2, 2, 5]
    assert offsets.dtype == torch.int64
