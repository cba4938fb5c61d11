"""Device, threads and random numbers of one fit, without touching global state."""

import multiprocessing
import os
import warnings
from _thread import LockType
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
import torch
from joblib.parallel import MultiprocessingBackend, get_active_backend

# Bytes: what glibc calls DEFAULT_MMAP_THRESHOLD_MAX, less a page for alignment and the header.
LARGEST_ADAPTIVE = 32 * 2**20 - 4096


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device that ``device`` names; ``"auto"`` is CUDA where there is one, else the CPU.

    Parameters
    ----------
    device : str or torch.device
        ``"auto"`` or what ``torch.device`` takes.

    Returns
    -------
    torch.device
        A device that tensors can be put on.

    Raises
    ------
    ValueError
        If torch doesn't know the device or this machine doesn't have it.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(1, device=resolved).sum().item()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        msg = f"The device can't be used: {device!r} ({reason}). Give 'auto', 'cpu' or a device that this machine has."
        raise ValueError(msg) from error
    return resolved


def keep_freed_memory() -> None:
    """Let the allocator keep up to 64 MiB of what is freed, rather than return it to the system after each step.

    A step frees what the next one allocates again, and memory that comes fresh from the system costs a page fault for
    every 4 KiB: up to a fifth of the time of training. glibc adapts its thresholds to the largest block that was freed;
    one of just under 32 MiB, never touched, is the largest it learns from. Other allocators have no such threshold.
    """
    torch.empty(LARGEST_ADAPTIVE, dtype=torch.uint8, device="cpu")


@dataclass
class _OpenBlocks:
    """The blocks of ``threads`` that overlap in time: torch's number of threads belongs to the process."""

    lock: LockType = field(default_factory=Lock)
    count: int = 0
    before: int = 0  # what to go back to: the number before the first of them


_OPEN = _OpenBlocks()


@contextmanager
def threads(n_threads: int | None) -> Iterator[None]:
    """Let torch use ``n_threads`` threads inside the block (None: as many as it does), and as many as before after it.

    Parameters
    ----------
    n_threads : int or None
        At least 1.
    """
    if n_threads is None:
        yield
        return
    with _OPEN.lock:
        if _OPEN.count == 0:
            _OPEN.before = torch.get_num_threads()
        torch.set_num_threads(n_threads)  # first: it may raise
        _OPEN.count += 1
    try:
        yield
    finally:
        with _OPEN.lock:
            _OPEN.count -= 1
            torch.set_num_threads(_OPEN.before)


def warn_of_forks() -> None:
    """Warn where joblib is about to fork this process: its backend ``"multiprocessing"`` is the active one.

    OpenMP, which torch computes with, keeps threads, and a forked child waits for those of its parent for ever.
    Seen is the backend that ``joblib.parallel_config`` sets, not one that is given to ``joblib.Parallel``, of which
    joblib tells nobody; and no ``n_jobs=1`` of a search.
    """
    backend, n_jobs = get_active_backend()
    first, *_ = multiprocessing.get_all_start_methods()  # the default; asking for that of the process would set it
    method = os.environ.get("JOBLIB_START_METHOD") or multiprocessing.get_start_method(allow_none=True) or first
    if isinstance(backend, MultiprocessingBackend) and n_jobs != 1 and method == "fork":
        msg = (
            'The backend "multiprocessing" of joblib forks the process, and a forked process hangs once torch has '
            'computed on several threads before. Use the backend "loky", joblib\'s default.'
        )
        warnings.warn(msg, UserWarning, stacklevel=3)


@dataclass(frozen=True)
class RandomSource:
    """The private generators of one fit, all derived from one seed.

    Attributes
    ----------
    split : numpy.random.Generator
        Which rows are held out for validation.
    initialization : torch.Generator
        Initial weights, always drawn on the CPU: the same on every device.
    shuffling : torch.Generator
        Order of the rows, on the CPU.
    noise : torch.Generator
        Dropout and ids replaced by unknown, on the device of the data.
    """

    split: np.random.Generator
    initialization: torch.Generator
    shuffling: torch.Generator
    noise: torch.Generator


def draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """Return the seed of one fit.

    Parameters
    ----------
    random_state : int, RandomState or None
        An int gives itself; a RandomState is drawn from once; None draws fresh entropy from the operating system, since
        drawing from numpy's global generator would change it.

    Returns
    -------
    int
        0 or greater.
    """
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(np.iinfo(np.int32).max))
    return int(np.random.SeedSequence().entropy if random_state is None else random_state)  # type: ignore[arg-type]


def make_random_source(seed: int, device: torch.device) -> RandomSource:
    """Derive the generators of one fit.

    Parameters
    ----------
    seed : int
        0 or greater.
    device : torch.device
        Where the data lies.

    Returns
    -------
    RandomSource
        Four independent generators.
    """
    seeds = np.random.SeedSequence(seed).spawn(4)

    def generator(seed: np.random.SeedSequence, place: str | torch.device) -> torch.Generator:
        return torch.Generator(place).manual_seed(int(seed.generate_state(1, np.uint64)[0] >> np.uint64(1)))

    return RandomSource(
        split=np.random.default_rng(seeds[0]),
        initialization=generator(seeds[1], "cpu"),
        shuffling=generator(seeds[2], "cpu"),
        noise=generator(seeds[3], device),
    )
