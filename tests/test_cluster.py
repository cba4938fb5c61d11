"""A cluster as docs/user_guide/cluster.rst uses it: a worker that is killed loses and doubles no row."""

import ast
import importlib
import os
import signal
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.datasets import make_clicks
from sklearn_din.persistence import save_model

dd = pytest.importorskip("dask.dataframe")
distributed = pytest.importorskip("distributed")

PAGE = Path(__file__).parents[1] / "docs" / "user_guide" / "cluster.rst"
N_ROWS, N_FILES, N_GROUPS = 240, 2, 5  # row groups in each file
N_PARTITIONS = N_FILES * N_GROUPS
N_BEFORE = 3  # partitions that are done before a worker is killed, at least
PATIENCE = 120  # seconds, after which what was waited for won't come


def block_of_the_page(caption):
    """Return the code of the page under a caption."""
    after = PAGE.read_text(encoding="utf-8").partition(f"   :caption: {caption}\n")[2]
    lines = after.splitlines()[1:]
    end = next(n for n, line in enumerate(lines) if line and not line.startswith("   "))
    return textwrap.dedent("\n".join(lines[:end]))


def statements_with_the_client():
    """Return what score_all.py of the page does once it is connected."""
    main = next(node for node in ast.parse(block_of_the_page("score_all.py")).body if isinstance(node, ast.If))
    block = main.body[0]
    assert isinstance(block, ast.With)
    return [ast.unparse(statement) for statement in block.body]


@pytest.fixture(scope="module")
def model_and_rows():
    """A fitted pipeline, and rows with an id that is not in order."""
    X, y = make_clicks(N_ROWS, n_items=30, n_categories=5, max_length=6, random_state=0)
    network = DINClassifier(
        embedding_dim=4, attention_hidden_layer_sizes=(8,), hidden_layer_sizes=(8,), device="cpu", random_state=0
    )
    model = Pipeline(
        [("encode", BehaviorEncoder({"hist_item": "item", "hist_category": "category"})), ("din", network)]
    )
    ids = np.random.default_rng(0).permutation(N_ROWS) + 1_000
    return model.fit(X, y), X.assign(id=ids)


@pytest.fixture(scope="module")
def folder(model_and_rows, tmp_path_factory):
    """Go to a folder as the recipe has it: a model, Parquet files with several row groups each, and ``scoring.py``."""
    model, rows = model_and_rows
    folder = tmp_path_factory.mktemp("cluster")
    save_model(model, folder / "clicks.safetensors")
    (folder / "rows").mkdir()
    for n, part in enumerate(np.array_split(np.arange(N_ROWS), N_FILES)):
        table = pa.Table.from_pandas(rows.iloc[part], preserve_index=False)
        pq.write_table(table, folder / "rows" / f"{n}.parquet", row_group_size=len(part) // N_GROUPS)
    (folder / "scoring.py").write_text(block_of_the_page("scoring.py"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        yield folder
    sys.modules.pop("scoring", None)


@pytest.fixture(scope="module")
def client(folder):
    """Two workers in processes of their own, which are started again when they die."""
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    )
    with cluster, distributed.Client(cluster) as client:
        client.upload_file("scoring.py")
        yield client


def gated(score, folder):
    """Return ``score`` that leaves marks in a folder, and waits for the file "open" once some partitions are done."""

    def score_and_mark(rows, path):  # defined here, so that it is sent to the workers by its code
        name = rows["id"].iloc[0]
        (folder / f"{name}-begun-{os.getpid()}").touch()
        if len(list(folder.glob("*-done-*"))) >= N_BEFORE and not (folder / "open").exists():
            (folder / f"waiting-{os.getpid()}").touch()
            wait_for(folder, "open")
        scores = score(rows, path)
        (folder / f"{name}-done-{os.getpid()}").touch()
        return scores

    def wait_for(folder, pattern):
        deadline = time.monotonic() + PATIENCE
        while not list(folder.glob(pattern)):
            if time.monotonic() > deadline:
                raise TimeoutError(pattern)
            time.sleep(0.01)

    return score_and_mark


def kill_a_worker_that_waits(folder):
    """Kill the first worker that waits in the middle of a partition, then let the others go on; return its number."""
    deadline = time.monotonic() + PATIENCE
    while not (waiting := sorted(folder.glob("waiting-*"))):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)
    worker = int(waiting[0].name.rpartition("-")[2])
    os.kill(worker, signal.SIGKILL)
    (folder / "open").touch()
    return worker


def assert_a_worker_died_at_work(folder, worker):
    """Check the marks: the worker had begun a partition that it did not end, and another one had to begin it anew."""
    begun = {path.name.split("-begun-")[0] for path in folder.glob(f"*-begun-{worker}")}
    done = {path.name.split("-done-")[0] for path in folder.glob(f"*-done-{worker}")}
    (left,) = begun - done
    assert len(list(folder.glob(f"{left}-begun-*"))) == 2
    others = {path.name.rpartition("-")[2] for path in folder.glob("*-done-*")} - {str(worker)}
    assert others  # who did the rest
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def assert_each_row_has_the_score_of_one_process(scores, model_and_rows):
    model, rows = model_and_rows
    scores = scores.sort_values("id")

    assert list(scores.columns) == ["id", "score"]
    assert_array_equal(scores["id"], 1_000 + np.arange(N_ROWS))  # each once
    expected = model.predict_proba(rows.drop(columns="id"))[:, 1][np.argsort(rows["id"])]
    assert_allclose(scores["score"], expected, rtol=1e-6)
    assert np.ptp(expected) > 0.01


def score_while_a_worker_is_killed(client, marks, statements):
    """Run statements of the recipe; return their names, and which worker was killed meanwhile."""
    marks.mkdir()
    names = {"dd": dd, "client": client, "score": gated(importlib.import_module("scoring").score, marks)}
    with ThreadPoolExecutor(1) as pool:
        killer = pool.submit(kill_a_worker_that_waits, marks)
        exec("\n".join(statements), names)
        return names, killer.result(timeout=PATIENCE)


def test_a_killed_worker_loses_and_doubles_no_row_of_a_folder(client, folder, model_and_rows):
    marks = folder / "marks_of_folder"
    names, worker = score_while_a_worker_is_killed(client, marks, statements_with_the_client())

    assert names["scores"].npartitions == N_PARTITIONS
    assert_a_worker_died_at_work(marks, worker)
    files = sorted((folder / "scores").glob("*.parquet"))
    assert len(files) == N_PARTITIONS
    found = pa.concat_tables(pq.read_table(path) for path in files).to_pandas()
    assert_each_row_has_the_score_of_one_process(found, model_and_rows)


def test_a_killed_worker_loses_and_doubles_no_row_of_a_frame(client, folder, model_and_rows):
    marks = folder / "marks_of_frame"
    *recipe, _ = statements_with_the_client()
    names, worker = score_while_a_worker_is_killed(client, marks, [*recipe, "found = scores.compute()"])

    assert_a_worker_died_at_work(marks, worker)
    assert_each_row_has_the_score_of_one_process(names["found"], model_and_rows)


# Training.


@pytest.fixture
def folder_of_clicks(client, tmp_path, monkeypatch):
    """Go, with all workers, to a folder with rows to be trained on and the code of the page."""
    X, y = make_clicks(400, n_items=30, n_categories=5, max_length=6, random_state=0)
    (tmp_path / "rows").mkdir()
    table = pa.Table.from_pandas(X.assign(clicked=y), preserve_index=False)
    pq.write_table(table, tmp_path / "rows" / "clicks.parquet", row_group_size=100)
    for name in ("training.py", "train_all.py"):
        (tmp_path / name).write_text(block_of_the_page(name), encoding="utf-8")
    client.wait_for_workers(2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = client.run(os.getcwd)
    client.run(os.chdir, tmp_path)
    yield X, y
    for worker, path in before.items():
        client.run(os.chdir, path, workers=[worker])
    for name in ("training", "train_all"):
        sys.modules.pop(name, None)


def test_training_on_all_workers_gives_the_model_of_one_process(client, folder_of_clicks, model_and_rows):
    X, y = folder_of_clicks
    model = clone(model_and_rows[0]).set_params(din__max_epochs=2)
    expected = clone(model).fit(X, y).predict_proba(X)

    found = importlib.import_module("train_all").fit_on_all_workers(client, model)
    assert_allclose(found.predict_proba(X), expected, atol=1e-4)
    assert np.ptp(expected) > 0.01
    assert set(client.run(os.environ.get, "RANK").values()) == {None}  # nothing is left behind
