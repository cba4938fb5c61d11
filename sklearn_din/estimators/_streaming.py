"""A fit on rows that are read a part at a time, again in each epoch."""

import warnings
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_consistent_length

from sklearn_din.estimators._base import WARM_START
from sklearn_din.estimators._examples import Examples
from sklearn_din.estimators._input import as_table
from sklearn_din.estimators._network import architecture_of, load_module, make_module
from sklearn_din.estimators._summaries import TargetSummary
from sklearn_din.estimators._training import train
from sklearn_din.estimators._validation import make_validator
from sklearn_din.estimators._weights import check_some_weight, check_weight
from sklearn_din.preprocessing import EncodedTable
from sklearn_din.training import Part, StreamedRows, TensorTable, draw_seed, make_random_source, resolve_device, threads
from sklearn_din.utils._fit_tasks import with_callbacks


class Source(Protocol):
    """Rows in parts, each of which can be read as often as it takes."""

    def __len__(self) -> int:
        """Return the number of parts."""

    def table(self, part: int) -> EncodedTable:
        """Return the rows of a part."""

    def target_and_weight(self, part: int) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
        """Return target and weight of these rows; the weight None in all parts, or in none."""

    def place(self, part: int) -> str:
        """Return what the user calls the part."""


@with_callbacks  # type: ignore[untyped-decorator]
def fit_stream(estimator: Any, source: Source, buffer_size: int) -> Any:
    """Fit as ``fit`` does, with memory that does not grow with the number of rows.

    The rows of an epoch are mixed in a buffer. Held out are random rows, as many as the buffer holds at most; those of
    a classifier from each class in proportion. With ``warm_start`` it goes on from the weights of the last fit.

    Parameters
    ----------
    estimator : DINClassifier or DINRegressor
        To be fitted.
    source : Source
        All rows, encoded by one encoder.
    buffer_size : int
        Rows in memory at a time, about.

    Returns
    -------
    DINClassifier or DINRegressor
        ``estimator``.

    Raises
    ------
    ValueError
        As ``fit`` does.
    """
    estimator._validate_params()
    previous = estimator.net_ if estimator.warm_start and estimator.__sklearn_is_fitted__() else None
    with estimator._undo(previous), threads(estimator.n_threads):
        estimator._check_parameters()
        module, targets = _check_training(estimator, source, previous)
        random = make_random_source(draw_seed(estimator.random_state), estimator.device_)
        if previous is None:
            estimator._initialize(module, targets.examples(), random)
        rows, valid = _Parts(estimator, source, targets).split(buffer_size, random.split)
        validate = None
        if valid is not None:
            validate = make_validator(estimator, valid, TensorTable(valid.table, estimator.device_))
        net, evaluation = train(estimator, module.to(estimator.device_), rows, validate, random, estimator._snapshot)
        fitted = estimator._fitted(net, evaluation)
        if evaluation.diverged_:
            msg = estimator._divergence("the best weights before it are kept")
            warnings.warn(msg, ConvergenceWarning, stacklevel=4)  # at what called fit_out_of_core
        net.optimizer_.state.clear()
        net.module_.zero_grad()
        evaluation.release()
        estimator.__dict__.update(fitted)
    return estimator


def _check_training(estimator: Any, source: Source, previous: Any) -> tuple[Any, "_Targets"]:
    """Return the network, new or a copy of the previous one, and the targets after a pass over them."""
    architecture = architecture_of(estimator)
    estimator.device_ = resolve_device(estimator.device)
    layout = as_table(estimator, source.table(0), reset=True).layout
    if previous is not None:
        estimator._check_same_network(previous.module_, layout, architecture, WARM_START)
    estimator.layout_, estimator._architecture = layout, architecture
    targets = _Targets(estimator, source)
    targets.learn(is_first=previous is None)
    if previous is None:
        return make_module(layout, estimator._n_outputs, architecture), targets
    weights = {name: value.cpu().numpy() for name, value in previous.module_.state_dict().items()}
    return load_module(layout, estimator._n_outputs, architecture, weights), targets


class _Targets:
    """The targets and weights of a source: checked, and what they are on the whole."""

    def __init__(self, estimator: Any, source: Source) -> None:
        self.estimator = estimator
        self.source = source
        self.largest = 1.0  # weight
        totals = estimator._start_summary()
        heaviest = 0.0
        for part in range(len(source)):
            y, weight = self.read(part)
            totals.add(y, weight)
            heaviest = max(heaviest, 0.0 if weight is None else float(weight.max()))
        self.largest = heaviest or 1.0
        summary: TargetSummary = totals.summary()
        check_some_weight(summary.weights)
        self.summary = summary._replace(weights=summary.weights / self.largest)

    def read(self, part: int) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
        """Return target and weight of a part, the latter as a share of the largest."""
        y, weight = self.source.target_and_weight(part)
        try:
            y = self.estimator._validate_target(y, "y")
            if weight is not None and weight.any():
                weight = check_weight(weight, y, "sample_weight")
        except ValueError as error:
            error.add_note(f"In {self.source.place(part)}.")
            raise
        return y, None if weight is None else weight / self.largest

    def learn(self, *, is_first: bool) -> None:
        """Let the estimator learn what the target is, or check that it is that of the last fit."""
        if not is_first:
            self.estimator._learn_target(self.summary.values, self.summary.weights, is_first=False)
        if is_first or is_classifier(self.estimator):  # the shares of the classes may be others; a regressor's unit not
            self.estimator._learn_summary(self.summary)

    def examples(self) -> Examples:
        """Return rows that stand for all."""
        values, _, weights, _ = self.summary
        weight = self.estimator._class_weighted(values, weights, "y")
        check_some_weight(weight)
        positions = np.flatnonzero(weight)
        target = self.estimator._encode_target(values, positions, "y")
        return Examples(None, target, values, weights, weight, positions)

    @property
    def unit(self) -> float:
        """The weight that counts as 1: the mean over the rows that have one."""
        weights = np.asarray(self.examples().weights)
        return float(weights.sum() / self.strata.sum())

    @property
    def strata(self) -> NDArray[np.int64]:
        """Rows with a weight of each class, shape (n_classes,), or of all numbers, shape (1,)."""
        positions = self.examples().positions
        present = np.zeros(len(self.summary.values))
        present[positions] = self.summary.present[positions]
        return (present if is_classifier(self.estimator) else present.sum(keepdims=True)).round().astype(np.int64)


class _Parts:
    """The parts of a source as training takes them, without the rows that are held out."""

    def __init__(self, estimator: Any, source: Source, targets: _Targets) -> None:
        self.estimator = estimator
        self.source = source
        self.targets = targets
        self.unit = targets.unit
        self.held_out: dict[int, NDArray[np.int64]] = {}  # the rows of each part that has some

    def load(self, part: int) -> Part:
        """Return the training rows of a part."""
        examples = self._examples(part)
        positions = np.setdiff1d(examples.positions, self.held_out.get(part, []), assume_unique=True)
        weight = None if examples.weight is None else (examples.weight[positions] / self.unit).astype(np.float32)
        return Part(examples.table[positions], examples.target[positions], weight)

    def split(self, buffer_size: int, rng: np.random.Generator) -> tuple[StreamedRows, Examples | None]:
        """Return what is trained on, and the rows that are held out, after a pass over all rows."""
        strata = self.targets.strata
        share = min(self.estimator.validation_fraction, buffer_size / strata.sum())
        draw = _Draw(strata, share if self.estimator.early_stopping else 0.0, rng)
        sizes, behaviors, held_out = [], 0, []
        for part in range(len(self.source)):
            examples = self._examples(part)
            codes = examples.target[examples.positions]
            is_held_out = draw.next(codes.astype(int) if is_classifier(self.estimator) else np.zeros(len(codes), int))
            training, chosen = examples.positions[~is_held_out], examples.positions[is_held_out]
            sizes.append(len(training))
            lengths = [examples.table.lengths(each.name) for each in examples.table.layout.sequences]
            behaviors += int(sum(each[training].sum() for each in lengths))
            if len(chosen):
                self.held_out[part] = chosen
                held_out.append(examples._replace(positions=chosen).alone(examples.table[chosen]))
        rows = StreamedRows(self.load, np.array(sizes), behaviors, buffer_size, self.estimator.device_)
        return rows, Examples.joined(held_out) if held_out else None

    def _examples(self, part: int) -> Examples:
        """Return the rows of a part that have a weight."""
        table = self.source.table(part)
        y, sample_weight = self.targets.read(part)
        check_consistent_length(table, y)
        weight = self.estimator._class_weighted(y, sample_weight, "y")
        positions = np.arange(len(y)) if weight is None else np.flatnonzero(weight)
        target = self.estimator._encode_target(y, positions, "y")
        return Examples(table, target, y, sample_weight, weight, positions)


class _Draw:
    """Which rows are held out, of rows that come one after another: from each stratum in proportion.

    A stratum is cut into as many pieces as it has rows to be held out, and a row of each piece is drawn.
    """

    def __init__(self, sizes: NDArray[np.int64], fraction: float, rng: np.random.Generator) -> None:
        self.seen = np.zeros(len(sizes), dtype=np.int64)
        self.drawn = []
        for size, quota in zip(sizes, _quotas(sizes, fraction), strict=True):
            edges = np.arange(quota + 1) * size // max(quota, 1)
            self.drawn.append(rng.integers(edges[:-1], edges[1:]))

    def next(self, strata: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether the next rows are held out; ``strata`` are the numbers of theirs."""
        chosen = np.zeros(len(strata), dtype=bool)
        for stratum in np.unique(strata):
            rows, drawn, first = np.flatnonzero(strata == stratum), self.drawn[stratum], self.seen[stratum]
            left, right = np.searchsorted(drawn, [first, first + len(rows)])
            chosen[rows[drawn[left:right] - first]] = True
            self.seen[stratum] += len(rows)
        return chosen


def _quotas(sizes: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    """Return how many rows of each stratum are held out: in proportion, one of the smallest, but never all of any."""
    counts = np.where(sizes > 1, sizes, 0)
    order = np.argsort(counts, kind="stable")
    most = np.floor(counts.sum() * fraction + 1e-9)
    ends = np.minimum(np.ceil(counts[order].cumsum() * fraction - 1e-9), most)
    quotas = np.zeros(len(sizes), dtype=np.int64)
    quotas[order] = np.diff(ends, prepend=0.0)
    return np.minimum(quotas, np.maximum(counts - 1, 0))
