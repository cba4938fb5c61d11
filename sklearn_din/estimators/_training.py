"""One training of a network: parameters and rows in, a trained net out."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from typing import Any

from sklearn_din.estimators._parameters import TrainingLength, training_length
from sklearn_din.training import (
    EpochListener,
    Evaluation,
    LinearDecay,
    MinibatchAwareL2,
    RandomSource,
    TrainingRows,
    WholeTableL2,
    build_net,
    current_processes,
    make_progress,
    n_steps,
    sparse_tables,
)
from sklearn_din.utils._fit_tasks import FitTasks


def train(
    estimator: Any,
    module: Any,
    rows: TrainingRows,
    validate: Callable[[Any], dict[str, float]] | None,
    random: RandomSource,
    snapshot: Callable[..., dict[str, Any]],
    **data: Any,
) -> tuple[Any, Evaluation]:
    """Train all epochs: learning-rate schedule, early stopping, the best weights restored.

    Parameters
    ----------
    estimator : estimator
        Its parameters say how; ``layout_`` and ``device_`` are set.
    module : DIN
        Initialized, on its device.
    rows : TrainingRows
        To train on.
    validate : callable or None
        What scores held-out rows; None where there are none.
    random : RandomSource
        Private generators.
    snapshot : callable
        ``snapshot(net, evaluation, is_kept)`` gives the attributes of an estimator with the weights of ``net``, which
        are those that are kept or of the moment, for scikit-learn's callbacks.
    **data
        What those may ask for.

    Returns
    -------
    net : skorch.NeuralNet
        Trained.
    evaluation : Evaluation
        What it was judged by.
    """
    length = _length(estimator, rows)
    evaluation = Evaluation(
        validate,
        steps_per_epoch=n_steps(len(rows), length.batch_size),
        per_epoch=estimator.evaluations_per_epoch,
        patience=length.patience if estimator.early_stopping and validate is not None else None,
        lower_on_plateau=estimator.learning_rate_schedule == "plateau",
    )
    callbacks: list[Any] = [evaluation]
    if estimator.learning_rate_schedule == "linear":
        callbacks.insert(0, LinearDecay(estimator.learning_rate, evaluation.steps_per_epoch * length.max_epochs))
    tasks = FitTasks(estimator, length.max_epochs, **data)

    def end_task(net: Any, *, is_kept: bool) -> bool:
        return tasks.end(lambda: snapshot(net, evaluation, is_kept=is_kept))

    def end_epoch(net: Any) -> bool:
        return not evaluation.diverged_ and end_task(net, is_kept=False)

    # An epoch ends with its own weights: before the evaluation restores the best ones.
    listener = EpochListener(lambda: tasks.begin("epoch"), end_epoch)
    with _net(estimator, module, rows, length, [listener, *callbacks], random.shuffling, random.noise) as net:
        net.partial_fit(rows)
    if evaluation.best_ is not None:
        if evaluation.diverged_:
            end_task(net, is_kept=True)  # the epoch that it diverged in
        end_task(net, is_kept=True)
    return net, evaluation


def train_one_pass(
    estimator: Any, module: Any, rows: TrainingRows, random: RandomSource | None, previous: Any
) -> tuple[Any, Evaluation]:
    """Train one epoch at a constant learning rate, with nothing held out.

    Parameters
    ----------
    estimator, module, rows
        As for ``train``.
    random : RandomSource or None
        None to go on as the last net would have gone on.
    previous : skorch.NeuralNet or None
        The last net, whose moments and counts of rows go on; it is left as it is.

    Returns
    -------
    net, evaluation
        As of ``train``.
    """
    length = _length(estimator, rows)._replace(max_epochs=1)
    evaluation = Evaluation(
        None,
        steps_per_epoch=n_steps(len(rows), length.batch_size),
        per_epoch=estimator.evaluations_per_epoch,
        remember=False,
    )
    if random is None:
        shuffling, noise = previous.shuffling.clone_state(), previous.noise.clone_state()
    else:
        shuffling, noise = random.shuffling, random.noise
    earlier = None if previous is None else previous.row_counts
    with _net(estimator, module, rows, length, [evaluation], shuffling, noise, earlier) as net:
        net.initialize()
        if previous is not None:
            net.go_on_from(previous)
        net.partial_fit(rows)
    return net, evaluation


def _length(estimator: Any, rows: TrainingRows) -> TrainingLength:
    return training_length(
        len(rows),
        mean_behaviors=rows.mean_behaviors,
        batch_size=estimator.batch_size,
        max_epochs=estimator.max_epochs,
        n_iter_no_change=estimator.n_iter_no_change,
    )


@contextmanager
def _net(
    estimator: Any,
    module: Any,
    rows: TrainingRows,
    length: TrainingLength,
    callbacks: list[Any],
    shuffling: Any,
    noise: Any,
    earlier: dict[Any, Any] | None = None,
) -> Iterator[Any]:
    """Yield a net that is ready to train, and close its progress bar in the end, whatever happens.

    ``callbacks`` hold the ``Evaluation``; the user's own come last.
    """
    evaluation = next(each for each in callbacks if isinstance(each, Evaluation))
    processes = current_processes()
    is_shown = estimator.verbose and (processes is None or processes.rank == 0)
    progress = make_progress(evaluation, length.max_epochs) if is_shown else None
    shown = [] if progress is None else [progress]
    module.set_generator(noise)
    with nullcontext() if progress is None else closing(progress):
        yield build_net(
            module,
            estimator._make_criterion(),
            optimizer=estimator.optimizer,
            learning_rate=estimator.learning_rate,
            clip_norm=estimator.clip_norm,
            alpha=estimator.alpha,
            regularization=_regularization(estimator, module, rows, earlier),
            callbacks=[*callbacks, *shown, *(estimator.callbacks or ())],
            max_epochs=length.max_epochs,
            batch_size=length.batch_size,
            unknown_rate=estimator.unknown_rate,
            sparse=_sparse_tables(estimator),
            mixed_precision=bool(estimator.mixed_precision),
            shuffling=shuffling,
            noise=noise,
            processes=processes,
        )


def _regularization(estimator: Any, module: Any, rows: TrainingRows, earlier: dict[Any, Any] | None) -> Any:
    if estimator.embedding_regularization is None or estimator.embedding_alpha == 0:
        return None
    if estimator.embedding_regularization == "l2":
        return WholeTableL2(estimator.embedding_alpha)
    counts = rows.count(module, estimator.unknown_rate, earlier)
    return MinibatchAwareL2(estimator.embedding_alpha, counts, current_processes())


def _sparse_tables(estimator: Any) -> frozenset[str]:
    """Return the tables that are trained by the rows in the batch; "l2" pulls at all rows."""
    is_whole = estimator.embedding_regularization == "l2" and estimator.embedding_alpha > 0
    return frozenset() if is_whole else sparse_tables(estimator.layout_, estimator.sparse_embeddings)
