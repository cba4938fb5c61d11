"""The group of processes that a launcher such as torchrun has started."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from traceback import clear_frames
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore, rendezvous  # type: ignore[attr-defined]

from sklearn_din.nn._processes import Processes
from sklearn_din.utils._pieces import shown

ENVIRONMENT = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def is_launched() -> bool:
    """Return whether there is a process group, or a launcher that has named the processes of one.

    Returns
    -------
    bool
        True also where it has started a single process.

    Raises
    ------
    ValueError
        If the environment names a rank or several processes, and not all that is needed.
    """
    if dist.is_available() and dist.is_initialized():
        return True
    missing = [name for name in ENVIRONMENT if name not in os.environ]
    given = [f"{name}={os.environ[name]}" for name in ENVIRONMENT[:2] if name in os.environ]
    if missing and given and given != ["WORLD_SIZE=1"]:
        msg = (
            f"The environment has {' and '.join(given)}, but no {', '.join(missing)}. "
            "Start the program with torchrun, or set all that torchrun sets."
        )
        raise ValueError(msg)
    return not missing


def check_single(name: str) -> None:
    """Raise where several processes were launched.

    Parameters
    ----------
    name : str
        Of the function that is for one.

    Raises
    ------
    ValueError
        If there are several.
    """
    count = dist.get_world_size() if dist.is_initialized() else int(os.environ.get("WORLD_SIZE", "1"))
    if count > 1:
        msg = f"{name} is for one process: {count} were launched, and each would fit a model of its own. "
        msg += "Start one process, or use fit_distributed."
        raise ValueError(msg)


def check_timeout(timeout: Any) -> None:
    """Raise where a number of seconds is none.

    Parameters
    ----------
    timeout : float
        Greater than 0.

    Raises
    ------
    ValueError
        If it is something else.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        msg = f"timeout must be a number of seconds greater than 0: got {shown(timeout)}. Leave it out for ten minutes."
        raise ValueError(msg)


@contextmanager
def process_group(timeout: float) -> Iterator[Processes]:
    """Give the processes that were launched; a group that is made for this is ended after it.

    A process that fails ends its connections, so that the others fail, too, rather than wait.

    Parameters
    ----------
    timeout : float
        Seconds that a process waits for the others, in a group that is made here.
    """
    if dist.is_initialized():
        yield Processes()
        return
    has_gpu = torch.cuda.is_available()
    meeting = _meeting(*(os.environ[name] for name in ENVIRONMENT))
    meeting.n_groups += 1
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if has_gpu else "gloo",
        store=PrefixStore(f"sklearn_din/{meeting.n_groups}", meeting.store),
        rank=meeting.rank,
        world_size=meeting.count,
        timeout=timedelta(seconds=timeout),
    )
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    try:
        with torch.cuda.device(local_rank % torch.cuda.device_count()) if has_gpu else nullcontext():
            yield Processes()
            dist.barrier()  # the first process, which the others are connected to, must not leave before them
    except RuntimeError as error:
        error.add_note("Another process may have ended or be stuck: if so, its own output says why.")
        raise
    finally:
        clear_frames(sys.exc_info()[2])  # what an error still holds of the group would close it later on, and may hang
        dist.destroy_process_group()


@dataclass
class _Meeting:
    """Where the processes of a launcher find each other, and how many groups they have formed there so far."""

    store: Any
    rank: int
    count: int
    n_groups: int = 0


@lru_cache(maxsize=1)
def _meeting(*environment: str) -> _Meeting:
    # The last one is kept: the first process can't open the place a second time at once, and a group must not find what
    # an earlier one has left there.
    return _Meeting(*next(iter(rendezvous("env://"))))
