"""Training beyond one process, and beyond one memory."""

from sklearn_din.distributed._fit import fit_distributed
from sklearn_din.distributed._out_of_core import fit_out_of_core

__all__ = ["fit_distributed", "fit_out_of_core"]
