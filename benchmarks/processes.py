"""What several processes are to one fit: time, memory, what they send each other, and whether they learn the same.

    python benchmarks/processes.py --csv docs/tables
    python benchmarks/processes.py --parts training --processes 1 2 4 8 --rows 400000

All processes are on this machine, one thread each: with more of them than processors nothing can become faster, and the
title of the table says how many there are. Rows are made up (``rows.py``), of 20 behaviors with two fields and
100,000 items. One epoch with batches of 1,024 rows and nothing held out.

Parts (``--parts``)
-------------------
training
    ``fit`` beside ``fit_distributed`` under torchrun, for a frame that all processes have, for Parquet files, and for
    a frame with ``sparse_embeddings=True`` or, *large*, with batches of 8,192 rows. Figures are medians of the rounds,
    in which all lines take turns.
killed
    A process is killed in the middle of training, and the seconds until the others have ended are taken.

Figures
-------
Rates and milliseconds are those that go by, of the steps of the epoch alone; in brackets how many times the rate of
``fit`` that is. *Of them at work* are the milliseconds that a processor worked for the first process; the rest it was
waiting, for the others or, on a machine that is busy with other things, for a processor. *Peak* is what the fit takes
of the memory of the first process, above the frame where there is one. *Sent* is arithmetic, not measured:
what a process sends in a step. All-reduce in a ring sends each dense gradient 2 (n - 1) / n times, of a table the whole
table; a sparse gradient goes to n - 1 others, 8 bytes for each id and 4 for each number. *Difference* is the largest
between a weight and that of ``fit``, but for the bias of the attention scores, which softmax is indifferent to.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from measuring import PeakMemory, pin_threads, rotated, show
from out_of_core import Clock
from reference import BATCH_SIZE
from rows import GROUP, PAIRS, make_lengths, make_rows
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.distributed import fit_distributed

LENGTH = "20"  # behaviors of a row
GROUP_SIZE = 5_000  # rows of a row group
TARGET = "is_clicked"
INDIFFERENT = "unit.mlp.output.bias"
LARGE = 8_192  # rows of a large batch
KINDS = {
    "frame": {},
    "Parquet": {},
    "sparse": {"sparse_embeddings": True},
    "large": {"batch_size": LARGE},
    "killed": {},
}
N_KILLED = (2, 3)
STEPS_BEFORE = 5  # that a process is killed


def main():
    """Print the tables of all parts."""
    options = parsed_options()
    pin_threads(1)
    with TemporaryDirectory() as folder:
        options.folder = Path(folder)
        frame(options.rows).to_parquet(options.folder / "rows.parquet", row_group_size=GROUP_SIZE, index=False)
        for part in options.parts:
            title = f"{part}, {len(os.sched_getaffinity(0))} processors"
            show(title, PARTS[part](options), options.csv and options.csv / f"processes_{part}.csv")


def parsed_options():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="default: all")
    parser.add_argument("--processes", nargs="+", type=int, default=[1, 2, 3], help="of frames (default: 1 2 3)")
    parser.add_argument("--rows", type=int, default=50_000, help="default: 50,000")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--csv", type=Path, metavar="FOLDER", help="where to write the tables, too")
    return parser.parse_args()


def frame(n_rows):
    """Return rows with their target."""
    rows = make_rows(make_lengths(LENGTH, n_rows))
    return rows.X.drop(columns=GROUP).assign(**{TARGET: rows.y})


# ------------------------------------------------------------------------------------------------------------- training


def training(options):
    """Return a line for each kind of rows and number of processes."""
    counts = {
        "frame": [0, *options.processes],
        "Parquet": [0, 2],
        "sparse": [0, 2],
        "large": [0, 2],
    }  # 0: without a launcher
    cases = [(kind, n) for kind in counts for n in counts[kind]]
    found = {case: [] for case in cases}
    for turn in range(options.rounds):
        for case in rotated(cases, turn):
            found[case].append(launch(*case, options))
    return pd.DataFrame({label(*case): line(found, *case, options.folder) for case in cases}).T


def launch(kind, n_processes, options):
    """Fit a model in processes of their own; return what the first one has measured."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n_processes)]
    work = [*(launcher if n_processes else []), __file__, kind, str(options.folder), str(options.rows)]
    subprocess.run([sys.executable, *work], check=True)
    return json.loads(path_of(kind, n_processes, options.folder).with_suffix(".json").read_text())


def path_of(kind, n_processes, folder):
    """Return where a fit leaves its weights and, with another suffix, its figures."""
    return folder / f"{kind}_{n_processes}.npz"


def label(kind, n_processes):
    """Return what a line is called."""
    return f"{kind}, {n_processes} process{'es' * (n_processes > 1)}" if n_processes else f"{kind}, fit"


def line(found, kind, n_processes, folder):
    """Return the cells of a line."""
    rounds = pd.DataFrame(found[kind, n_processes])
    rate, alone = rounds["rows_per_second"], pd.DataFrame(found[kind, 0])["rows_per_second"]
    figures = rounds.median()
    with np.load(path_of(kind, 0, folder)) as one, np.load(path_of(kind, n_processes, folder)) as other:
        names = [name for name in one if not name.endswith(INDIFFERENT)]
        difference = max(np.abs(one[name] - other[name]).max() for name in names)
    return {
        "rows/s": f"{figures['rows_per_second']:,.0f} ({np.median(rate / alone):.2f})",
        "ms per step": f"{1e3 * figures['seconds_per_step']:.1f}",
        "of them at work": f"{1e3 * figures['processor_per_step']:.1f}",
        "peak, MiB": f"{figures['mebibytes']:,.0f}",
        "sent per step, MB": f"{figures['bytes_sent'] / 1e6:.2f}",
        "difference": f"{difference:.1e}",
    }


# --------------------------------------------------------------------------------------------------------------- killed


def killed(options):
    """Return the seconds until all have ended, for each number of processes."""
    seconds = {n: [seconds_until_noticed(n, options) for _ in range(options.rounds)] for n in N_KILLED}
    lines = {f"{n} processes": {"median, s": np.median(each), "longest, s": max(each)} for n, each in seconds.items()}
    return pd.DataFrame(lines).T.map("{:.1f}".format)


def seconds_until_noticed(n_processes, options):
    """Kill the last of some processes, and return the seconds until the others have ended."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    group = {"WORLD_SIZE": str(n_processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, __file__, "killed", str(options.folder), str(options.rows)]
    *others, victim = (
        subprocess.Popen(command, env=os.environ | group | {"RANK": str(rank)}, stderr=subprocess.DEVNULL)
        for rank in range(n_processes)
    )
    code = victim.wait()
    start = time.perf_counter()
    codes = [other.wait() for other in others]
    seconds = time.perf_counter() - start
    if code != -signal.SIGKILL or 0 in codes:
        msg = f"The killed process must end with {-signal.SIGKILL} and the others with an error: got {code}, {codes}."
        raise SystemExit(msg)
    return seconds


class KilledAfter(Callback):
    """Ends a process as the system would, after some steps."""

    n_steps = 0

    def on_batch_end(self, net, **kwargs):
        """Count a step."""
        self.n_steps += 1
        if self.n_steps == STEPS_BEFORE:
            os.kill(os.getpid(), signal.SIGKILL)


# ----------------------------------------------------------------------------------------------------------------- work


def work(kind, folder, n_rows):
    """Be one of the processes: fit, and let the first one write what it has learnt and measured."""
    rank, n_processes = (int(os.environ.get(name, "0")) for name in ("RANK", "WORLD_SIZE"))
    clock = Clock()
    is_victim = kind == "killed" and rank == n_processes - 1
    estimator = DINClassifier(
        max_epochs=1,
        early_stopping=False,
        callbacks=[KilledAfter()] if is_victim else [clock],
        n_threads=1,
        random_state=0,
        **{"batch_size": BATCH_SIZE} | KINDS[kind],
    )
    model = make_pipeline(BehaviorEncoder(PAIRS), estimator)
    X, y = folder / "rows.parquet", TARGET
    if kind != "Parquet":
        rows = frame(n_rows)
        X, y = rows.drop(columns=TARGET), rows[TARGET].to_numpy()
    with PeakMemory() as peak:
        fit_distributed(model, X, y)
    if not rank:
        path = path_of(kind, n_processes, folder)
        module = model[-1].module_
        np.savez(path, **{name: value.numpy() for name, value in module.state_dict().items()})
        path.with_suffix(".json").write_text(json.dumps(figures_of(model, n_rows, n_processes, peak, clock)))


def figures_of(model, n_rows, n_processes, peak, clock):
    """Return what there is to say about a fit, but for its weights."""
    seconds, n_steps = model[-1].history_[-1]["seconds"], -(-n_rows // model[-1].batch_size)
    return {
        "rows_per_second": n_rows / seconds,
        "seconds_per_step": seconds / n_steps,
        "processor_per_step": clock.seconds / n_steps,
        "mebibytes": peak.mebibytes,
        "bytes_sent": bytes_sent(model, n_rows, n_processes) if n_processes > 1 else 0,
    }


def bytes_sent(model, n_rows, n_processes):
    """Return the bytes that a process sends in a step, without the few for sums of Dice."""
    module = model[-1].module_
    tables = module.embedding.tables
    sparse = set(model[-1].layout_.tables) if model[-1].sparse_embeddings is True else set()
    whole = sum(weight.numel() for weight in module.parameters())
    dense = whole - sum(tables.weight(name).numel() for name in sparse)
    rows = frame(n_rows)[: BATCH_SIZE // n_processes]  # what a process has of a batch
    total = 4 * dense * 2 * (n_processes - 1) / n_processes
    for behaviors, candidate in PAIRS.items():
        if candidate in sparse:
            n_ids = len(np.unique(np.concatenate([rows[candidate], *rows[behaviors]])))
            total += (n_processes - 1) * n_ids * (8 + 4 * tables.widths[candidate])
    return total


PARTS = {"training": training, "killed": killed}

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in KINDS:  # started by the main program
        work(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
