"""Pictures of attention: bars, labels, titles and HTML, compared with what attention_weights says."""

import re
import sys
from html.parser import HTMLParser
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor
from sklearn_din.inspection import AttentionDisplay, attention_weights

DATA = {
    "item": ["tea", "milk", "rice", "tea"],
    "kind": ["drink", "drink", "food", "drink"],
    "hist_item": [["milk", "rice", "tea"], [], ["milk", "rice"], ["rice"]],
    "hist_kind": [["drink", "food", "drink"], [], ["drink", "food"], ["food"]],
    "hist_price": [[1.0, 2.5, 3.0], [], [1.5, None], [2.0]],
}
Y = [0, 1, 0, 1]
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table, "dict": dict}
FIELDS = {"hist_item": "item", "hist_kind": "kind", "hist_price": None}


@pytest.fixture(autouse=True)
def _closed_figures():
    yield
    plt.close("all")


def make_model(behaviors=FIELDS, estimator=DINClassifier, max_length=2, **parameters):
    sizes = {"attention_hidden_layer_sizes": (4,), "hidden_layer_sizes": (4,), "embedding_init_std": 1.0}
    network = estimator(**sizes, max_epochs=1, random_state=0, **parameters)
    return make_pipeline(BehaviorEncoder(behaviors, max_length=max_length), network)


@pytest.fixture(scope="module")
def model():
    return make_model().fit(pd.DataFrame(DATA), Y)


@pytest.fixture(scope="module")
def items():
    """A model of one field, with histories that all rows share, and its rows."""
    X = pd.DataFrame({"item": ["a", "b", "c"], "hist_item": [["a", "b"]] * 3})
    return make_model({"hist_item": "item"}).fit(X, [0, 1, 0]), X


def labels_of(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def widths_of(ax):
    return [bar.get_width() for bar in ax.patches]


@pytest.mark.parametrize("kind", FRAMES)
def test_bars_and_labels_are_the_weights_and_values_of_the_frame(kind):
    X = FRAMES[kind](DATA)
    model = make_model().fit(X, Y)
    display = AttentionDisplay.from_estimator(model, X)

    expected = attention_weights(make_model().fit(pd.DataFrame(DATA), Y), pd.DataFrame(DATA))
    for row, ax in enumerate(display.axes_):
        assert_allclose(widths_of(ax), expected.loc[expected["row"] == row, "weight"], rtol=1e-5)
    assert [labels_of(ax) for ax in display.axes_] == [
        ["rice / food / 2.5", "tea / drink / 3"],
        [],
        ["milk / drink / 1.5", "rice / food / missing"],
        ["rice / food / 2"],
    ]


def test_the_newest_behavior_is_at_the_top(model):
    ax = AttentionDisplay.from_estimator(model, pd.DataFrame(DATA)[:1]).ax_

    heights = dict(zip(labels_of(ax), ax.transData.transform([(0, y) for y in ax.get_yticks()])[:, 1], strict=True))
    assert heights["tea / drink / 3"] > heights["rice / food / 2.5"]


def test_titles_name_candidate_and_probability_of_the_second_class(model):
    X = pd.DataFrame(DATA)
    display = AttentionDisplay.from_estimator(model, X[:2])

    scores = model.predict_proba(X[:2])[:, 1]
    titles = [ax.get_title(loc="left") for ax in display.axes_]
    assert titles == [f"tea / drink\nscore {scores[0]:.3g}", f"milk / drink\nscore {scores[1]:.3g}"]


def test_the_score_of_a_regressor_is_its_prediction():
    X = pd.DataFrame(DATA)
    model = make_model(estimator=DINRegressor).fit(X, [10.0, 20_000.0, 3.0, 4.0])
    display = AttentionDisplay.from_estimator(model, X)

    assert_allclose(display.scores, model.predict(X))
    assert display.axes_[1].get_title(loc="left").endswith(f"score {model.predict(X)[1]:,.0f}")


def test_with_three_classes_there_is_no_score():
    X = pd.DataFrame(DATA)
    display = AttentionDisplay.from_estimator(make_model().fit(X, ["a", "b", "c", "a"]), X)

    assert display.scores is None
    assert display.ax_.get_title(loc="left") == "tea / drink"
    assert "score" not in display._repr_html_()


@pytest.mark.parametrize("kind", [dict, pd.Series])
def test_names_replace_the_values_of_the_first_field_of_behaviors_and_candidates(model, kind):
    names = kind({"tea": "Green tea", "milk": None, "food": "never used"})
    display = AttentionDisplay.from_estimator(model, pd.DataFrame(DATA)[:2], names=names)

    assert labels_of(display.ax_) == ["rice / food / 2.5", "Green tea / drink / 3"]
    assert display.candidates == ["Green tea / drink", "milk / drink"]


def test_unknown_and_missing_values_are_told_apart(items):
    model, _ = items
    X = pd.DataFrame({"item": ["new", None], "hist_item": [["new", None], ["a", "new"]]})
    display = AttentionDisplay.from_estimator(model, X, names={"new": "Novelty"})

    assert display.behaviors == [["Novelty (unknown)", "missing"], ["a", "Novelty (unknown)"]]
    assert display.candidates == ["Novelty (unknown)", "missing"]


def test_integers_that_pandas_made_floats_look_like_integers():
    X = pd.DataFrame({"item": [3.0, 12345678.0], "hist_item": [[3.0, np.nan], [12345678.0]]})
    model = make_pipeline(
        BehaviorEncoder({"hist_item": "item"}, categorical_features=["item"], max_length=2),
        DINClassifier(max_epochs=1, random_state=0),
    ).fit(X, [0, 1])

    assert AttentionDisplay.from_estimator(model, X, names={3: "three"}).behaviors == [
        ["three", "missing"],
        ["12345678"],
    ]


def test_bytes_are_shown_as_text():
    X = pd.DataFrame({"item": [b"tea", b"milk"], "hist_item": [[b"milk"], [b"tea"]]})
    model = make_model({"hist_item": "item"}).fit(X, [0, 1])

    assert AttentionDisplay.from_estimator(model, X).behaviors == [["milk"], ["tea"]]


def test_an_estimator_alone_shows_ids(items):
    model, X = items
    table = model[0].transform(pd.concat([X, pd.DataFrame({"item": ["new"], "hist_item": [["new", "c"]]})]))
    display = AttentionDisplay.from_estimator(model[-1], table, names={table["item"][2]: "third"})

    ids = [[str(value) for value in table["hist_item"][row]] for row in range(3)]
    assert display.behaviors == [*ids, ["unknown", "third"]]
    assert display.candidates == [str(table["item"][0]), str(table["item"][1]), "third", "unknown"]


def test_an_empty_history_is_a_panel_that_says_so(model):
    ax = AttentionDisplay.from_estimator(model, pd.DataFrame(DATA)[1:2]).ax_

    assert [text.get_text() for text in ax.texts] == ["no behaviors"]
    assert len(ax.patches) == 0


def test_behaviors_without_a_candidate_are_drawn_under_the_number_of_their_row():
    X = pd.DataFrame(DATA)[["hist_item"]]
    display = AttentionDisplay.from_estimator(make_model({"hist_item": None}).fit(X, Y), X)

    assert display.candidates is None
    assert display.axes_[2].get_title(loc="left").startswith("row 2\n")


def test_same_histories_stand_side_by_side_and_are_labelled_once(items):
    display = AttentionDisplay.from_estimator(*items)
    display.figure_.draw_without_rendering()

    boxes = [ax.get_position() for ax in display.axes_]
    assert boxes[0].x1 <= boxes[1].x0
    assert boxes[0].y0 == boxes[1].y0
    assert [labels_of(ax) for ax in display.axes_] == [["a", "b"], [], []]


def test_other_histories_stand_below_each_other_on_one_scale(model):
    display = AttentionDisplay.from_estimator(model, pd.DataFrame(DATA))
    display.figure_.draw_without_rendering()

    boxes = [ax.get_position() for ax in display.axes_]
    assert boxes[0].y0 >= boxes[1].y1
    assert len({ax.get_xlim() for ax in display.axes_}) == 1
    assert all(label.get_visible() for ax in display.axes_ for label in ax.get_yticklabels())


@pytest.mark.parametrize("n_rows", [1, 2])
@pytest.mark.parametrize("n_behaviors", [3, 50])
def test_labels_do_not_overlap(n_rows, n_behaviors):
    names = [f"FROZEN DINNERS AND OTHER MEALS / MAINLY VEGETABLES AND POTATOES / {i}" for i in range(n_behaviors)]
    weights = [np.full(n_behaviors, 1 / n_behaviors)] * n_rows
    display = AttentionDisplay(
        weights, [names] * n_rows, candidates=["A LONG NAME OF A CANDIDATE " * 4] * n_rows
    ).plot()
    figure = display.figure_
    figure.draw_without_rendering()

    boxes = [label.get_window_extent() for label in display.ax_.get_yticklabels()]
    assert all(upper.y0 >= lower.y1 for lower, upper in pairwise(boxes))
    assert min(box.x0 for box in boxes) >= 0
    titles = [ax.get_title(loc="left") for ax in display.axes_]
    extents = [ax._left_title.get_window_extent() for ax in display.axes_]
    assert all("…" in title for title in titles)
    assert all(left.x1 <= right.x0 for left, right in pairwise(extents))
    assert max(box.y1 for box in extents) <= figure.bbox.y1


def test_a_long_label_loses_its_middle():
    label = "first words" + " and so on" * 20 + " last"
    ax = AttentionDisplay([[1.0]], [[label]]).plot().ax_

    (shown,) = labels_of(ax)
    assert shown.startswith("first words")
    assert shown.endswith(" last")
    assert len(shown) <= 48 < len(label)


@pytest.mark.parametrize("of_behavior", [True, False])
def test_names_may_be_given_by_column(model, of_behavior):
    X = pd.DataFrame(DATA)[:2]
    plain = AttentionDisplay.from_estimator(model, X)
    items = {name: name.upper() for name in X["item"]} | {each: each.upper() for row in X["hist_item"] for each in row}
    column = "hist_item" if of_behavior else "item"
    first = AttentionDisplay.from_estimator(model, X, names={column: items})
    others = {name: {} for name in ("hist_item", "item")}

    assert first.behaviors == AttentionDisplay.from_estimator(model, X, names=items).behaviors != plain.behaviors
    assert first.candidates == AttentionDisplay.from_estimator(model, X, names=items).candidates
    assert AttentionDisplay.from_estimator(model, X, names=others).behaviors == plain.behaviors
    second = AttentionDisplay.from_estimator(model, X, names={"kind": pd.Series({"drink": "to drink"})})
    assert [label.replace("/ to drink", "/ drink") for label in second.behaviors[0]] == plain.behaviors[0]
    assert any("/ to drink" in label for label in second.behaviors[0])


def test_names_of_one_field_reach_only_its_own_candidate_column():
    X = pd.DataFrame({"item": ["p", "q"], "kind": ["q", "p"], "hist_item": [["p"], ["q"]], "hist_kind": [["q"], ["p"]]})
    model = make_model({"hist_item": "item", "hist_kind": "kind"}).fit(X, [0, 1])

    first = AttentionDisplay.from_estimator(model, X, names={"p": "P", "q": "Q"})
    assert (first.candidates, first.behaviors) == (["P / q", "Q / p"], [["P / q"], ["Q / p"]])
    second = AttentionDisplay.from_estimator(model, X, names={"kind": {"p": "P", "q": "Q"}})
    assert (second.candidates, second.behaviors) == (["p / Q", "q / P"], [["p / Q"], ["q / P"]])


@pytest.mark.parametrize("missing", [pd.NaT, np.float32("nan"), np.float64("nan"), pd.NA, None])
def test_a_name_that_is_missing_leaves_the_value(items, missing):
    model, X = items
    names = pd.Series({"a": missing, "b": "B"}, dtype=object)

    assert AttentionDisplay.from_estimator(model, X[:1], names=names).behaviors == [["a", "B"]]
    assert AttentionDisplay.from_estimator(model, X[:1], names={"a": missing, "b": "B"}).candidates == ["a"]


def test_names_that_match_no_value_are_refused():
    X = pd.DataFrame({"item": [3, 4], "hist_item": [[3], [4, 4]]})
    model = make_pipeline(BehaviorEncoder({"hist_item": "item"}), DINClassifier(max_epochs=1, random_state=0)).fit(
        X, [0, 1]
    )

    for names in ({"3": "three"}, {"item": {"3": "three"}}):
        message = r"no value of 'hist_item' .*: its keys are of type str \('3'\), the values of type int \(3\)\. Give"
        with pytest.raises(ValueError, match=message):
            AttentionDisplay.from_estimator(model, X, names=names)
    table = model[0].transform(X)
    with pytest.raises(ValueError, match="its keys are of type str"):
        AttentionDisplay.from_estimator(model[-1], table, names={"3": "three"})
    others = AttentionDisplay.from_estimator(model, X, names={7: "a name of another item"})
    assert others.behaviors == AttentionDisplay.from_estimator(model, X).behaviors
    only_candidate = AttentionDisplay.from_estimator(
        model, pd.DataFrame({"item": [3], "hist_item": [[4]]}), names={3: "x"}
    )
    assert only_candidate.candidates == ["x"]
    empty = pd.DataFrame({"hist_item": [[]]}).astype(object)
    without = make_model({"hist_item": None}).fit(pd.DataFrame({"hist_item": [["a"], ["b"]]}), [0, 1])
    assert AttentionDisplay.from_estimator(without, empty, names={"a": "A"}).behaviors == [[]]
    assert AttentionDisplay.from_estimator(model, X[:1], names={}).behaviors == [["3"]]


def test_a_number_whose_encoded_value_is_1_is_not_unknown():
    X = pd.DataFrame({"item": ["a", "b"], "hist_item": [["a"], ["b"]], "hist_price": [[1.0], [3.0]]})
    model = make_model({"hist_item": "item", "hist_price": None}).fit(X, [0, 1])

    table = model[0].transform(X)
    assert 1.0 in table.ragged("hist_price").values.tolist()
    assert AttentionDisplay.from_estimator(model, X).behaviors == [["a / 1"], ["b / 3"]]
    assert not any(
        "unknown" in label for row in AttentionDisplay.from_estimator(model[-1], table).behaviors for label in row
    )


def test_a_candidate_column_of_two_fields_is_shown_once():
    X = pd.DataFrame({"item": ["a", "b"], "bought": [["a"], ["b"]], "seen": [["b"], ["a"]]})
    model = make_model({"bought": "item", "seen": "item"}).fit(X, [0, 1])
    display = AttentionDisplay.from_estimator(model, X, names={"seen": {"a": "A"}})

    assert display.candidates == ["a", "b"]
    assert display.behaviors == [["a / b"], ["b / A"]]


def test_parts_that_are_no_strings_are_shown_as_text():
    display = AttentionDisplay([[1.0], [0.5]], [[7], [8.5]], candidates=[3, None])
    html = display._repr_html_()
    display.plot()

    assert [labels_of(ax) for ax in display.axes_] == [["7"], ["8.5"]]
    assert [ax.get_title(loc="left") for ax in display.axes_] == ["3", "None"]
    assert all(f">{label} <small>" in html for label in (7, 8.5))
    assert display.behaviors == [[7], [8.5]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(bad):
    display = AttentionDisplay([[1.0], [0.5, bad]], [["a"], ["b", "c"]])

    message = f"weights must be finite: that of behavior 1 of candidate 1 is {bad}. "
    for draw in (display.plot, display._repr_html_):
        with pytest.raises(ValueError, match=message):
            draw()
    assert plt.get_fignums() == []


def test_dollars_and_line_breaks_in_names_are_no_markup():
    display = AttentionDisplay([[1.0]], [["$5 off\n$6 _x^"]], candidates=["a $\\frac$\nb"]).plot()
    display.figure_.draw_without_rendering()

    (label,) = display.ax_.get_yticklabels()
    assert label.get_text() == "$5 off $6 _x^"
    assert not label.get_parse_math()
    assert display.ax_.get_title(loc="left") == "a $\\frac$ b"


def test_negative_weights_reach_to_the_left_of_a_line_at_zero():
    display = AttentionDisplay([[-2.0, 1.0]], [["a", "b"]]).plot()

    assert widths_of(display.ax_) == [-2.0, 1.0]
    low, high = display.ax_.get_xlim()
    assert low < -2.0
    assert high > 1.0
    assert [line.get_xdata() for line in display.ax_.lines] == [[0, 0]]


def test_weights_that_are_all_negative_or_zero_have_an_axis():
    assert AttentionDisplay([[-2.0]], [["a"]]).plot().ax_.get_xlim() == (-2.1, 0.0)
    assert AttentionDisplay([[0.0]], [["a"]]).plot().ax_.get_xlim() == (0.0, 1.0)


def test_unnormalised_attention_is_drawn_as_it_is():
    X = pd.DataFrame(DATA)
    model = make_model(attention_normalization=None).fit(X, Y)
    display = AttentionDisplay.from_estimator(model, X[:1])

    assert_allclose(widths_of(display.ax_), attention_weights(model, X[:1])["weight"], rtol=1e-6)


def test_bars_take_the_users_keywords(items):
    display = AttentionDisplay.from_estimator(*items, bar_kw={"color": "red", "height": 0.5})

    (bar, _) = display.ax_.patches
    assert bar.get_facecolor() == (1.0, 0.0, 0.0, 1.0)
    assert bar.get_height() == 0.5


def test_the_users_axes_are_drawn_on(items):
    model, X = items
    figure, axes = plt.subplots(1, 3)
    display = AttentionDisplay.from_estimator(model, X, ax=axes)

    assert display.axes_.tolist() == axes.tolist()
    assert display.ax_ is axes[0]
    assert display.figure_ is figure
    assert [len(ax.patches) for ax in axes] == [2, 2, 2]
    assert [ax.get_ylabel() for ax in axes] == ["behaviors, newest first", "", ""]
    assert AttentionDisplay.from_estimator(model, X[:1], ax=plt.figure().add_axes((0, 0, 1, 1))).axes_.shape == (1,)


def test_labels_of_given_axes_are_hidden_only_where_another_one_of_them_shows_them(items):
    model, X = items
    for keywords in ({}, {"sharey": True}):
        _, axes = plt.subplots(1, 3, **keywords)
        AttentionDisplay.from_estimator(model, X[:2], ax=axes[1:])
        assert [labels_of(ax) for ax in axes[1:]] == [["a", "b"], []]
        assert [ax.get_ylabel() for ax in axes[1:]] == ["behaviors, newest first", ""]
    _, grid = plt.subplots(2, 2)
    AttentionDisplay.from_estimator(model, X[:2], ax=[grid[0, 0], grid[1, 1]])
    assert labels_of(grid[0, 0]) == labels_of(grid[1, 1]) == ["a", "b"]
    first, second = plt.figure().subplots(1, 2)[0], plt.figure().subplots(1, 2)[1]
    AttentionDisplay.from_estimator(model, X[:2], ax=[first, second])
    assert labels_of(second) == ["a", "b"]


def test_given_axes_that_share_y_take_no_different_behaviors():
    display = AttentionDisplay([[1.0], [0.5]], [["a"], ["b"]])
    _, axes = plt.subplots(2, 1, sharey=True)
    with pytest.raises(ValueError, match="share their y axis, .* candidates 0 and 1 have different .* without sharey"):
        display.plot(ax=axes)
    assert axes[0].get_title(loc="left") == ""

    _, axes = plt.subplots(2, 1)
    assert [labels_of(ax) for ax in display.plot(ax=axes).axes_] == [["a"], ["b"]]
    _, axes = plt.subplots(2, 1, sharey=True)
    same = AttentionDisplay([[1.0], [0.5]], [["a"], ["a"]]).plot(ax=axes)
    assert [labels_of(ax) for ax in same.axes_] == [["a"], ["a"]]


def test_axes_are_labelled_on_a_new_figure_and_on_given_axes(model):
    X = pd.DataFrame(DATA)
    one = AttentionDisplay.from_estimator(model, X[:1]).ax_
    assert (one.get_xlabel(), one.get_ylabel().split()) == ("attention weight", ["behaviors,", "newest", "first"])

    several = AttentionDisplay.from_estimator(model, X)
    assert [ax.get_xlabel() for ax in several.axes_] == ["", "", "", "attention weight"]
    assert several.figure_.get_supylabel() == "behaviors, newest first"

    _, axes = plt.subplots(4, 1)
    AttentionDisplay.from_estimator(model, X, ax=axes)
    assert [(ax.get_xlabel(), ax.get_ylabel()) for ax in axes] == [("attention weight", "behaviors, newest first")] * 4


def test_panels_side_by_side_share_the_labels_of_their_axes(items):
    figure = AttentionDisplay.from_estimator(*items).figure_

    assert figure.get_supxlabel() == "attention weight"
    assert figure.get_supylabel().split() == ["behaviors,", "newest", "first"]


def test_the_figure_is_that_of_the_axes():
    figure, ax = plt.subplots()
    plt.figure()

    assert AttentionDisplay([[1.0]], [["a"]]).plot(ax=ax).figure_ is figure


@pytest.mark.parametrize("kind", ["figure", "text", "list"])
def test_what_is_no_axes_is_refused(kind):
    ax = {"figure": plt.figure(), "text": "ax", "list": [3]}[kind]
    name = {"figure": "Figure", "text": "str", "list": "int"}[kind]

    with pytest.raises(TypeError, match=f"ax must be .*Axes.*: got {name}. Give"):
        AttentionDisplay([[1.0]], [["a"]]).plot(ax=ax)


def test_a_plot_that_fails_leaves_no_figure_of_its_own():
    display = AttentionDisplay([[1.0]], [["a"]])
    with pytest.raises(AttributeError):
        display.plot(bar_kw={"nonsense": 1})
    assert plt.get_fignums() == []

    _, ax = plt.subplots()
    with pytest.raises(AttributeError):
        display.plot(ax=ax, bar_kw={"nonsense": 1})
    assert len(plt.get_fignums()) == 1


def test_the_scale_reaches_over_all_panels():
    display = AttentionDisplay([[0.1], [0.9, -0.4], [0.2]], [["a"], ["b", "c"], ["d"]]).plot()

    for ax in display.axes_:
        low, high = ax.get_xlim()
        assert low < -0.4
        assert high > 0.9


def test_other_numbers_of_axes_raise_and_stay_empty(items):
    _, axes = plt.subplots(1, 2)
    with pytest.raises(ValueError, match="ax must hold 3 Axes for 3 candidates: got 2"):
        AttentionDisplay.from_estimator(*items, ax=axes)
    with pytest.raises(ValueError, match="ax must hold 1 Axes for 1 candidate: got 2"):
        AttentionDisplay([[1.0]], [["a"]]).plot(ax=axes)
    assert axes[0].get_xlabel() == ""


def test_a_drawn_display_can_be_drawn_again(items):
    display = AttentionDisplay.from_estimator(*items)
    first = display.figure_

    assert display.plot() is display
    assert display.figure_ is not first


def test_one_of_several_sequences_is_chosen_by_name():
    X = pd.DataFrame(DATA)[["item", "hist_item", "hist_kind"]]
    model = make_model([{"hist_item": "item"}, {"hist_kind": None}]).fit(X, Y)

    assert AttentionDisplay.from_estimator(model, X[:1], sequence="hist_kind").behaviors == [["food", "drink"]]
    with pytest.raises(ValueError, match=r"several sequences. Set sequence to one of 'hist_item', 'hist_kind'"):
        AttentionDisplay.from_estimator(model, X)
    with pytest.raises(ValueError, match="has no sequence 'item'"):
        AttentionDisplay.from_estimator(model, X, sequence="item")


@pytest.mark.parametrize("name", ["hist_item", "seen"])
def test_the_weights_are_those_of_the_chosen_sequence(name):
    X = pd.DataFrame({"item": DATA["item"], "hist_item": DATA["hist_item"], "seen": [["x"], ["y", "x"], ["z"], []]})
    model = make_model([{"hist_item": "item"}, {"seen": None}], attention_normalization=None).fit(X, Y)
    display = AttentionDisplay.from_estimator(model, X, sequence=name)

    frame = attention_weights(model, X)[name]
    for row, ax in enumerate(display.axes_):
        assert_allclose(widths_of(ax), frame.loc[frame["row"] == row, "weight"], rtol=1e-6)
    assert [labels_of(ax) for ax in display.axes_] == [row[-2:] for row in X[name]]


def test_what_cannot_be_drawn_raises(model):
    X = pd.DataFrame(DATA)
    with pytest.raises(ValueError, match=r"at most 12: X has 13 rows. Pick some, such as X\[:3\]"):
        AttentionDisplay.from_estimator(model, X.iloc[[0] * 13])
    with pytest.raises(ValueError, match=r"X has no rows, so that there is nothing to draw. Give 1 to 12 rows"):
        AttentionDisplay.from_estimator(model, X[:0])
    with pytest.raises(
        ValueError, match="names has texts for 'shelf', no column of the sequence: its columns are 'hist"
    ):
        AttentionDisplay.from_estimator(model, X, names={"shelf": {}})
    with pytest.raises(TypeError, match="names must be a dict or a pandas Series from values to texts.* got list"):
        AttentionDisplay.from_estimator(model, X, names=["tea"])
    with pytest.raises(NotFittedError):
        AttentionDisplay.from_estimator(make_model(), X)
    search = GridSearchCV(make_model(), {}, cv=2).fit(X, Y)
    with pytest.raises(TypeError, match="got GridSearchCV. Give its best_estimator_"):
        AttentionDisplay.from_estimator(search, X)
    with pytest.raises(TypeError, match="got BehaviorEncoder. Give a fitted model that it holds"):
        AttentionDisplay.from_estimator(model[0], X)


def test_twelve_rows_are_drawn(model):
    assert AttentionDisplay.from_estimator(model, pd.DataFrame(DATA).iloc[[0] * 12]).axes_.shape == (12,)


def test_parts_that_do_not_fit_together_raise():
    with pytest.raises(ValueError, match="got {'weights': 1, 'behaviors': 2}"):
        AttentionDisplay([[1.0]], [["a"], ["b"]]).plot()
    with pytest.raises(ValueError, match="got {'weights': 1, 'behaviors': 1, 'scores': 2}"):
        AttentionDisplay([[1.0]], [["a"]], scores=[0.1, 0.2]).plot()
    with pytest.raises(ValueError, match="one candidate at least"):
        AttentionDisplay([], []).plot()
    with pytest.raises(ValueError, match="candidate 1 has 2 behaviors and 1 weights"):
        AttentionDisplay([[1.0], [1.0]], [["a"], ["b", "c"]])._repr_html_()


def test_without_matplotlib_the_error_names_the_extra(items, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)

    with pytest.raises(ImportError, match=re.escape('pip install "sklearn-din[plots]"')):
        AttentionDisplay.from_estimator(*items)
    display = AttentionDisplay([[1.0]], [["a"]])
    assert "a <small>1.000</small>" in display._repr_html_()
    with pytest.raises(ImportError, match=re.escape("AttentionDisplay.plot draws with matplotlib")):
        display.plot()


class Tags(HTMLParser):
    """Tags with their attributes, and text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def test_html_holds_candidates_behaviors_and_weights_in_order():
    display = AttentionDisplay([[0.25, 0.75], []], [["old", "new"], []], candidates=["tea", "jam"], scores=[0.5, 0.125])
    parsed = Tags(display._repr_html_())

    _, _, text = "|".join(parsed.text).partition("with their weights")
    parts = ["tea", "score 0.5", "old", "0.250", "new", "0.750", "jam", "score 0.125", "no behaviors"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    chips = [attributes for tag, attributes in parsed.tags if tag == "span"]
    assert [chip["title"] for chip in chips] == ["old: 0.2500", "new: 0.7500"]


def test_opacity_of_a_chip_is_in_proportion_to_its_weight():
    html = AttentionDisplay([[0.2, -0.4], [0.8]], [["a", "b"], ["c"]])._repr_html_()

    tints = [tuple(map(float, tint.split(","))) for tint in re.findall(r"linear-gradient\(rgba\(([^)]*)\)", html)]
    opacities = np.array([tint[3] for tint in tints])
    assert_allclose(opacities / opacities.max(), [0.25, 0.5, 1.0], atol=0.002)
    assert tints[0][:3] == tints[2][:3] != tints[1][:3]  # negative weights have a colour of their own


def test_dark_text_on_the_strongest_chips_has_contrast():
    html = AttentionDisplay([[1.0, -1.0]], [["a", "b"]])._repr_html_()

    def luminance(color):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.asarray(color) / 255]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])  # WCAG 2.2, relative luminance

    assert html.count("color:#111") == html.count(",#fff") == 2
    for tint in re.findall(r"linear-gradient\(rgba\(([^)]*)\)", html):
        *color, opacity = map(float, tint.split(","))
        background = opacity * np.array(color) + (1 - opacity) * 255
        assert (luminance(background) + 0.05) / (luminance([17] * 3) + 0.05) > 7


def test_html_escapes_everything():
    evil = "<script>alert('x')</script>\" onload=\"y&amp;"
    html = AttentionDisplay([[1.0]], [[evil]], candidates=[evil])._repr_html_()
    parsed = Tags(html)

    assert {tag for tag, _ in parsed.tags} == {"details", "summary", "div", "b", "span", "small"}
    (chip,) = [attributes for tag, attributes in parsed.tags if tag == "span"]
    assert set(chip) == {"style", "title"}
    assert chip["title"] == f"{evil}: 1.0000"
    assert evil in "".join(parsed.text)


def test_a_long_name_is_whole_in_the_title_of_its_chip():
    label = "first words" + " and so on" * 20 + " last"
    parsed = Tags(AttentionDisplay([[1.0]], [[label]])._repr_html_())

    (chip,) = [attributes for tag, attributes in parsed.tags if tag == "span"]
    assert chip["title"] == f"{label}: 1.0000"
    assert label not in "".join(parsed.text)


def test_a_shortened_label_has_no_entity_cut():
    label = "&" * 100
    parsed = Tags(AttentionDisplay([[1.0]], [[label]])._repr_html_())

    shown = next(text for text in parsed.text if "…" in text)
    assert len(shown.strip()) == 48
    assert set(shown.strip()) == {"&", "…"}


def test_html_is_open_until_the_display_is_drawn():
    display = AttentionDisplay([[1.0]], [["a"]])

    assert display._repr_html_().startswith("<details open>")
    assert display.plot()._repr_html_().startswith("<details>")


def test_html_of_weights_that_are_all_zero():
    assert "0.000" in AttentionDisplay([[0.0]], [["a"]])._repr_html_()
