"""Attention as text for notebooks: behaviors as chips, coloured by weight."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from sklearn_din.inspection._attention_bars import score_text
from sklearn_din.inspection._labels import shorten

# The colours lie on white, so that dark text can be read on them in a dark notebook too. Even the strongest tint
# leaves a contrast above 7 to 1.
POSITIVE, NEGATIVE, STRONGEST = "31,119,180", "214,39,40", 0.55
CHIP = (
    "display:inline-block;margin:2px;padding:1px 7px;border:1px solid #999;border-radius:9px;color:#111;"
    "background:linear-gradient({tint},{tint}),#fff"
)


def to_html(
    weights: Sequence[Any], behaviors: Sequence[Sequence[str]], titles: Sequence[str], scores: Any, *, is_open: bool
) -> str:
    """Return candidates and their behaviors as HTML without scripts.

    Parameters
    ----------
    weights : list of array-like of shape (n_behaviors,)
        For each candidate, oldest first.
    behaviors : list of list of str
        Their labels.
    titles : list of str
        Labels of the candidates.
    scores : array-like of shape (n_candidates,) or None
        Stand beside them.
    is_open : bool
        Whether it is unfolded at first.

    Returns
    -------
    str
        Whatever the labels hold is text, not HTML.
    """
    largest = max((float(np.abs(each).max(initial=0)) for each in weights), default=0.0) or 1.0
    parts = []
    for row, title in enumerate(titles):
        score = "" if scores is None else f" <small>{score_text(scores[row])}</small>"
        chips = [
            _chip(label, float(weight), largest) for label, weight in zip(behaviors[row], weights[row], strict=True)
        ]
        parts.append(
            f'<div style="margin:8px 0"><div><b>{escape(title)}</b>{score}</div>'
            f"<div>{''.join(chips) or '<i>no behaviors</i>'}</div></div>"
        )
    n_candidates = "1 candidate" if len(titles) == 1 else f"{len(titles)} candidates"
    return (
        f"<details{' open' if is_open else ''}>"
        f"<summary>Attention for {n_candidates}: behaviors from the oldest to the newest, with their weights</summary>"
        f"{''.join(parts)}</details>"
    )


def _chip(label: str, weight: float, largest: float) -> str:
    tint = f"rgba({NEGATIVE if weight < 0 else POSITIVE},{STRONGEST * abs(weight) / largest:.3f})"
    return (
        f'<span style="{CHIP.format(tint=tint)}" title="{escape(label)}: {weight:.4f}">'
        f"{escape(shorten(label))} <small>{weight:.3f}</small></span>"
    )
