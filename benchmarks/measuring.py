"""How to measure on a machine that others use, too: processes of their own, pinned threads, peak memory, tables."""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import re
import sys
import threading
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

NOTHING = "–"  # what a table shows where there is no figure
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
SAMPLING_SECONDS = 0.01  # between two looks at the memory, where the system doesn't remember the peak


def pin_threads(n_threads):
    """Let the processes that are started from here on use so many threads."""
    os.environ.update(dict.fromkeys(THREADS, str(n_threads)))
    os.environ["TQDM_DISABLE"] = "1"


def in_process(function, *arguments):
    """Call a function in a new process, whose libraries see the threads that they are given.

    Parameters
    ----------
    function : callable
        Of the top level of a module.
    *arguments
        What it takes.

    Returns
    -------
    object
        What it returns; the name of the exception, a str, if it raises one or if the process dies. What it prints is
        thrown away.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=be_silent) as process:
        return outcome(process.submit(function, *arguments).result)


def be_silent():
    """Throw away what is printed from here on."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def outcome(function, *arguments):
    """Return what a function returns, or the name of the exception that it raises, whose traceback is printed."""
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001 - that a contestant fails is a result
        traceback.print_exc()
        return type(error).__name__


def rotated(labels, turn):
    """Return labels in the order of a round, each beginning with another."""
    labels = list(labels)
    first = turn % len(labels)
    return labels[first:] + labels[:first]


class PeakMemory:
    """A block of code and how far it takes the resident memory of the process above where it was.

    Attributes
    ----------
    mebibytes : float or None
        Set when the block is left; None where the system doesn't tell (it is Linux that does).
    """

    def __enter__(self):
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)  # what has been freed is not to be used again unseen
        self.mebibytes, self.largest, self.has_ended = None, 0, False
        self.remembers = forget_peak()
        self.before = resident("VmRSS")
        self.sampler = threading.Thread(target=self._sample, daemon=True)
        if not self.remembers and self.before is not None:
            self.sampler.start()
        return self

    def __exit__(self, *_):
        self.has_ended = True
        if self.before is None:
            return
        if not self.remembers:
            self.sampler.join()
        self.mebibytes = (resident("VmHWM") if self.remembers else self.largest) - self.before

    def _sample(self):
        while not self.has_ended:
            self.largest = max(self.largest, resident("VmRSS"))
            time.sleep(SAMPLING_SECONDS)


def forget_peak():
    """Tell the system to forget the peak of the memory so far; return whether it does."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return resident("VmHWM") is not None


def resident(name):
    """Return the memory of the process now (``VmRSS``) or at its peak (``VmHWM``) in MiB, None if unknown."""
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        return None
    return None if found is None else int(found[1]) / 2**10


def show(title, table, path=None):
    """Print a table, a frame of strings, and write it to a file if there is one."""
    print(f"\n{title}\n{table.to_string()}", flush=True)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, index_label="")
