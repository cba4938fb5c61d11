"""How attention is drawn: the figure, and the bars of each panel."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_din.inspection._labels import shorten
from sklearn_din.inspection._pyplot import check_axes, import_pyplot

X_LABEL, Y_LABEL = "attention weight", "behaviors, newest first"

# Inches. A line of labels takes BAR, so that no two overlap, however many there are. Capital letters are wide.
BAR, LINE, LABEL_LETTER, TITLE_LETTER, TICK = 0.19, 0.17, 0.085, 0.1, 0.6
LABEL_SIZE, TITLE_SIZE = 9, 10  # points
GAP, MARGIN = 0.25, 0.6  # below each panel, and around all
ALONE, SIDE_BY_SIDE, CROWDED = 4.5, 2.6, 1.7  # widths of a panel
TALLEST = 200  # of a figure: what matplotlib can still save in 300 dots per inch
LOW = 3.0  # a figure in whose height the label of the axis takes two lines


def new_axes(behaviors: Sequence[Sequence[str]], titles: Sequence[str]) -> tuple[NDArray[np.object_], float]:
    """Make a figure in which all labels can be read.

    Parameters
    ----------
    behaviors : list of list of str
        Labels for each panel.
    titles : list of str
        Their titles, below which a score may stand.

    Returns
    -------
    axes : ndarray of matplotlib Axes, of shape (n_panels,)
        Below each other, or side by side where all panels have the same labels.
    width : float
        Of a panel, in inches.
    """
    plt = import_pyplot("AttentionDisplay")
    n_panels = len(behaviors)
    is_row = _are_same(behaviors)
    width = ALONE if n_panels == 1 or not is_row else SIDE_BY_SIDE if n_panels <= 4 else CROWDED
    longest = max((len(shorten(label)) for labels in behaviors for label in labels), default=0)
    margin = LABEL_LETTER * longest + MARGIN
    bars = [BAR * max(len(labels), 4) for labels in behaviors]
    lines = [LINE * (len(_lines(title, width)) + 1) + GAP for title in titles]
    if is_row:
        layout: dict[str, Any] = {"nrows": 1, "ncols": n_panels, "sharey": True}
        size = margin + n_panels * width, bars[0] + max(lines) + MARGIN
    else:
        layout = {"nrows": n_panels, "ncols": 1, "height_ratios": bars}
        size = margin + width, sum(bars) + sum(lines) + MARGIN
    size = size[0], min(size[1], TALLEST)
    figure, grid = plt.subplots(**layout, sharex=True, squeeze=False, figsize=size, layout="constrained")
    axes: NDArray[np.object_] = grid.ravel()
    y_label = "behaviors, newest first" if size[1] > LOW else "behaviors,\nnewest first"
    if n_panels == 1:
        axes[0].set_ylabel(y_label)
    else:
        figure.supylabel(y_label, fontsize=TITLE_SIZE)
    if is_row and n_panels > 1:
        figure.supxlabel(X_LABEL, x=1 - n_panels * width / size[0] / 2, fontsize=TITLE_SIZE)  # below the panels
    else:
        axes[-1].set_xlabel(X_LABEL)
    return axes, width


def given_axes(ax: Any, behaviors: Sequence[Sequence[str]]) -> NDArray[np.object_]:
    """Return the user's axes with labels.

    Parameters
    ----------
    ax : matplotlib Axes, or array-like of them
        One for each panel.
    behaviors : list of list of str
        Labels for each panel.

    Returns
    -------
    ndarray of matplotlib Axes, of shape (n_panels,)
        Flat.

    Raises
    ------
    ValueError
        If there are more or fewer, or those with different labels share their y axis, which has room for one of them.
    TypeError
        If they are no axes.
    """
    axes = np.asarray(ax, dtype=object).ravel()
    for each in axes:
        check_axes(each, "matplotlib Axes, or an array of them")
    n_panels = len(behaviors)
    if len(axes) != n_panels:
        needed = "1 Axes for 1 candidate" if n_panels == 1 else f"{n_panels} Axes for {n_panels} candidates"
        msg = f"ax must hold {needed}: got {len(axes)}. Give an array of as many, or None for a new figure."
        raise ValueError(msg)
    for first, second in combinations(range(n_panels), 2):
        are_joined = axes[first].get_shared_y_axes().joined(axes[first], axes[second])
        if are_joined and not _are_same([behaviors[first], behaviors[second]]):
            msg = (
                f"Axes in ax that share their y axis, and so their labels, must show the same behaviors: candidates "
                f"{first} and {second} have different ones. Make the axes without sharey, or leave ax out."
            )
            raise ValueError(msg)
    for each in axes:
        each.set(xlabel=X_LABEL, ylabel=Y_LABEL)
    return axes


def draw_bars(
    axes: NDArray[np.object_],
    weights: Sequence[Any],
    behaviors: Sequence[Sequence[str]],
    titles: Sequence[str],
    *,
    width: float | None,
    bar_kw: Mapping[str, Any],
) -> None:
    """Draw a panel for each candidate, all of one scale.

    Parameters
    ----------
    axes : ndarray of matplotlib Axes, of shape (n_panels,)
        With labels, and empty.
    weights : list of array-like of shape (n_behaviors,)
        For each panel, oldest first.
    behaviors : list of list of str
        Labels of the bars.
    titles : list of str
        Of the panels; what stands behind a line break stays on a line of its own.
    width : float or None
        Of a panel, in inches; None where only the axes themselves tell.
    bar_kw : dict
        Keywords of ``barh``.
    """
    is_same = len(axes) > 1 and _are_same(behaviors)
    limits = _limits(weights)
    for panel, ax in enumerate(axes):
        inches = _width_of(ax) if width is None else width
        _draw_panel(ax, np.asarray(weights[panel], dtype=float), behaviors[panel], inches, bar_kw)
        title, *score = titles[panel].split("\n")
        text = "\n".join([*_lines(title, inches), *score])
        ax.set_title(text, fontsize=TITLE_SIZE, loc="left", parse_math=False)
        ax.set_xlim(limits)
        is_repeated = is_same and _has_left_neighbour(ax, axes)
        ax.tick_params(labelleft=not is_repeated)
        if is_repeated:
            ax.set_ylabel("")


def score_text(score: float) -> str:
    """Return a score in three digits or more.

    Parameters
    ----------
    score : float
        A probability, or a prediction of any scale.

    Returns
    -------
    str
        Behind the word "score".
    """
    return f"score {score:.3g}" if abs(score) < 1000 else f"score {score:,.0f}"


def _are_same(behaviors: Sequence[Sequence[str]]) -> bool:
    return all(list(labels) == list(behaviors[0]) for labels in behaviors)


def _has_left_neighbour(ax: Any, axes: NDArray[np.object_]) -> bool:
    """Whether one of the axes stands in the same row of the same grid, further to the left."""
    place = ax.get_subplotspec()
    others = [] if place is None else [spec for each in axes if (spec := each.get_subplotspec()) is not None]
    return any(
        other.get_gridspec() is place.get_gridspec()
        and other.rowspan == place.rowspan
        and other.colspan.start < place.colspan.start
        for other in others
    )


def _limits(weights: Sequence[Any]) -> tuple[float, float]:
    values = np.concatenate([np.zeros(1), *(np.asarray(each, dtype=float) for each in weights)])
    low, high = float(values.min()), float(values.max())
    room = 0.05 * (high - low) or 1.0
    return (low - room if low < 0 else 0.0), (high + room if high > 0 or low == 0 else 0.0)


def _draw_panel(
    ax: Any, weights: NDArray[np.float64], labels: Sequence[str], width: float, bar_kw: Mapping[str, Any]
) -> None:
    from matplotlib.ticker import MaxNLocator

    n_behaviors = len(labels)
    ax.spines[["top", "right"]].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(min(max(int(width / TICK), 2), 6)))
    ax.set_ylim(-0.6, max(n_behaviors, 1) - 0.4)
    if not n_behaviors:
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no behaviors", transform=ax.transAxes, ha="center", va="center", color="0.4")
        return
    positions = np.arange(n_behaviors)  # the oldest at the bottom
    ax.barh(positions, weights, **({"color": "C0", "height": 0.7} | dict(bar_kw)))
    ax.set_yticks(positions, [shorten(label) for label in labels], fontsize=LABEL_SIZE, parse_math=False)
    ax.tick_params(axis="y", length=0)
    if (weights < 0).any():
        ax.axvline(0, color="0.3", linewidth=0.8)


def _lines(title: str, width: float) -> list[str]:
    """Return a title in lines that fit in the width of a panel, which is in inches."""
    n_letters = max(int(width / TITLE_LETTER), 10)
    return wrap(shorten(title, 2 * n_letters), n_letters)


def _width_of(ax: Any) -> float:
    return float(ax.get_window_extent().width / ax.figure.dpi)
