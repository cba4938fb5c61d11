"""Promise R19: several processes learn what one does, each reads its share, and none waits for one that has died."""

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

WORKER = Path(__file__).with_name("worker.py")
SPEC = importlib.util.spec_from_file_location("worker", WORKER)
worker = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(worker)

CASES = [*worker.FRAMES, *worker.PARQUET, "regressor", "labels"]
# A softmax is indifferent to a bias of all scores, whose gradient is rounding and nothing else.
INDIFFERENT = "unit.mlp.output.bias"
SECONDS = 30  # within which a process must end after another has died


def environment(**variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RANK", "WORLD_SIZE", "MASTER"))}
    return kept | {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "random"} | variables


@pytest.fixture
def folder(tmp_path):
    worker.write_parquet(tmp_path / "rows")
    return tmp_path


def learnt_alone(name, folder, monkeypatch):
    for variable in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(variable, raising=False)
    model, _ = worker.fit(name, folder)
    return {key: value.numpy() for key, value in model[-1].module_.state_dict().items()}


def learnt(name, folder, rank):
    with np.load(folder / f"{name}_{rank}.npz") as file:
        return dict(file)


@pytest.mark.parametrize("n_processes", [1, 2, 3])
def test_processes_of_any_number_learn_what_one_fit_does(n_processes, folder, monkeypatch):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n_processes)]
    command = [sys.executable, *launcher, str(WORKER), str(folder), *CASES]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stderr

    original = worker._row_groups.RowGroups._read
    for name in CASES:
        expected = learnt_alone(name, folder, monkeypatch)
        parts = [learnt(name, folder, rank) for rank in range(n_processes)]
        for part in parts:
            for key, value in expected.items():
                assert_array_equal(part[key], parts[0][key], err_msg=f"{name}: {key}")
                if name not in ("unseeded", "mixed_precision") and not key.endswith(INDIFFERENT):
                    assert_allclose(part[key], value, atol=1e-5, rtol=0, err_msg=f"{name}: {key}")
            assert_array_equal(part["losses"], parts[0]["losses"])
        if name in worker.PARQUET:
            assert_array_equal(np.concatenate([part["read"] for part in parts]), np.arange(8))  # each group once
    monkeypatch.setattr(worker._row_groups.RowGroups, "_read", original)


def start(name, folder, n_processes):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    shared = {"WORLD_SIZE": str(n_processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [
        subprocess.Popen(
            [sys.executable, str(WORKER), str(folder), name],
            env=environment(RANK=str(rank), **shared),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(n_processes)
    ]


def ended(processes):
    """Return the exit codes and errors; the last processes have some seconds after the first one has ended."""
    try:
        return [
            (process.communicate(timeout=SECONDS + 60 * (i == 0))[1], process.returncode) for i, process in processes
        ]
    finally:
        for _, process in processes:
            process.kill()


def test_a_process_that_is_killed_ends_the_others_with_an_error(folder):
    processes = start("killed", folder, n_processes=3)
    killed, *others = ended([(0, processes[1]), (1, processes[0]), (2, processes[2])])

    assert killed[1] == -9
    for error, code in others:
        assert code > 0
        assert "Another process" in error


@pytest.mark.parametrize("attempt", range(3))  # it hung once in two times
def test_a_process_that_goes_on_after_an_error_lets_the_others_end(folder, attempt):
    other, failing = start("caught", folder, n_processes=2)
    caught, ended_by_it = ended([(0, failing), (1, other)])

    assert caught[1] == 0
    assert ended_by_it[1] > 0
    assert "Another process" in ended_by_it[0]


def test_a_process_with_bad_rows_ends_the_others_and_says_what_is_wrong(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pq.read_table(folder / "rows" / "2.parquet")
    clicks = pa.array([None, *rows["click"].to_pylist()[1:]], rows["click"].type)
    pq.write_table(
        rows.set_column(rows.schema.get_field_index("click"), "click", clicks), folder / "rows" / "2.parquet"
    )

    processes = start("files", folder, n_processes=2)
    wrong, other = ended([(0, processes[1]), (1, processes[0])])

    assert wrong[1] > 0
    assert "Column 'click' must have a value in each row: it has none in row 0 of row group 0 of" in wrong[0]
    assert other[1] > 0
    assert "Another process" in other[0]
