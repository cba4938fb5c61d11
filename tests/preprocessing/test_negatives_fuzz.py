"""sample_negatives with hostile input: rows as promised, or an error that names the column."""

import datetime
import re
from decimal import Decimal

import pandas as pd
import polars as pl
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from sklearn_din.preprocessing import sample_negatives

VALUES = {
    "integers": list(range(5)),
    "large": [-(2**63), 2**53, 2**53 + 1, 2**63 - 2, 2**63 - 1],
    "texts": ["a", "b", "", "é", "A"],
    "bytes": [b"a", b"b", b"", b"c", b"A"],
    "floats": [0.5, 0.0, -1.0, 1e300, float("inf")],
    "dates": [datetime.date(2024, 3, day) for day in range(1, 6)],
}
MISSING = [None, float("nan"), pd.NA, pd.NaT]
ODD = [True, 2**70, "1", b"1", "\ud800", Decimal("1.5"), 1j, datetime.time(1), (1,), [1], {1}, {}, object()]


def as_polars_objects(columns):
    return pl.DataFrame([pl.Series(name, cells, dtype=pl.Object) for name, cells in columns.items()])


def as_objects(columns):
    return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})


KINDS = {"dict": dict, "objects": as_objects, "polars objects": as_polars_objects}


def contents(frame):
    return {name: list(frame[name]) for name in getattr(frame, "columns", frame)}


@st.composite
def calls(draw):
    """Draw frames, and what is wrong with them: None, or a pattern of the message."""
    users = st.sampled_from(VALUES[draw(st.sampled_from(sorted(VALUES)))])
    catalogue = VALUES[draw(st.sampled_from(sorted(VALUES)))]
    items = st.sampled_from(catalogue)

    def columns(least):
        rows = draw(st.lists(st.tuples(users, items), min_size=least, max_size=6))
        return {"user": [user for user, _ in rows], "item": [item for _, item in rows]}

    positives = columns(1)
    positives["row"] = list(range(len(positives["user"])))
    frames = {"positives": positives, "items": {"item": list(catalogue)}, "exclude": columns(0)}
    kind = draw(st.sampled_from(["sound"] * 5 + ["missing", "odd", "odd", "twice", "unknown", "label", "absent"]))
    role = draw(st.sampled_from(sorted(frames)))
    name = draw(st.sampled_from(sorted(set(frames[role]) - {"row"})))
    column = frames[role][name]
    if kind in ("missing", "odd") and column:
        row = draw(st.integers(0, len(column) - 1))
        column[row] = draw(st.sampled_from(MISSING if kind == "missing" else ODD))
        is_missing = f"'{name}' of {role} must not have missing values: row {row} has"
        return frames, is_missing if kind == "missing" else f"'{name}'.*row [0-9]"
    if kind == "twice":
        frames["items"]["item"].append(catalogue[1])
        return frames, "'item' of items must have each item once: rows 1 and 5"
    if kind == "unknown":
        frames["items"]["item"].remove(positives["item"][0])
        return frames, "'item' of positives must hold items that are in items: row 0"
    if kind == "label":
        positives["label"] = positives["row"]
        return frames, "a column 'label' in positives"
    if kind == "absent":
        del frames[role][name]
        return frames, f"no column '{name}' in {role}"
    return frames, None


def check_call(kind, frames, wrong, strategy, n_negatives):
    """Assert each positive and negatives that its user does not have, or an error of ours; and inputs as before."""
    given_frames = {role: KINDS[kind](columns) for role, columns in frames.items()}
    before = repr(list(map(contents, given_frames.values())))
    options = {"user": "user", "item": "item", "strategy": strategy, "n_negatives": n_negatives, "random_state": 0}
    error = None
    try:
        out = sample_negatives(**given_frames, **options)
    except (TypeError, ValueError) as raised:
        error = raised
    event("rows" if error is None else "error")

    assert repr(list(map(contents, given_frames.values()))) == before
    if error is not None:
        assert type(error) in (TypeError, ValueError)
        own = "has every item (of items|that occurs in positives)"
        assert re.search(own if wrong is None else f"({wrong})|({own})", str(error))
        return
    assert wrong is None or "[0-9]" in wrong
    positives, exclude = frames["positives"], frames["exclude"]
    pairs = zip(positives["user"] + exclude["user"], positives["item"] + exclude["item"], strict=True)
    taken = set(pairs)
    got = contents(out)
    n_samples = len(positives["user"])
    assert list(got["label"]) == [1, *[0] * n_negatives] * n_samples
    assert list(got["row"]) == [row for row in range(n_samples) for _ in range(1 + n_negatives)]
    for row, user, item, label in zip(got["row"], got["user"], got["item"], got["label"], strict=True):
        assert user == positives["user"][row]
        assert (user, item) in taken if label else (user, item) not in taken
        assert item in (frames["items"] if strategy == "uniform" else positives)["item"]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=200)
@given(call=calls(), strategy=st.sampled_from(["uniform", "popularity"]), n_negatives=st.integers(1, 3))
def test_any_input_gives_rows_as_promised_or_an_error_with_the_column(kind, call, strategy, n_negatives):
    check_call(kind, *call, strategy, n_negatives)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20_000, derandomize=False, print_blob=True)
@given(call=calls(), strategy=st.sampled_from(["uniform", "popularity"]), n_negatives=st.integers(1, 3))
def test_random_input_gives_rows_as_promised_or_an_error_with_the_column(kind, call, strategy, n_negatives):
    check_call(kind, *call, strategy, n_negatives)


def test_intervals_of_pandas_may_describe_items():
    bins = pd.IntervalIndex.from_breaks([0, 1, 2, 3])
    positives = pd.DataFrame({"user": [1], "item": ["a"], "price": pd.cut([0.5], bins[:2])})
    items = pd.DataFrame({"item": ["a", "b"], "price": pd.cut([0.5, 2.5], bins)})

    out = sample_negatives(positives, user="user", item="item", items=items, random_state=0)

    assert out["price"].tolist() == [bins[0], bins[2]]
    assert out["price"].cat.categories.tolist() == bins.tolist()


def test_a_shared_column_whose_name_is_no_text_is_refused():
    frame = pd.DataFrame({"user": [1], "item": ["a"], 0: [1]})

    with pytest.raises(
        TypeError, match="Names of columns must be strings: positives and items both have 0, which is of type int"
    ):
        sample_negatives(frame, user="user", item="item", items=frame.drop(columns="user"), random_state=0)
