"""The grocery sample: counted, and its histories compared with a loop."""

import sys
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from sklearn_din.datasets import load_grocery, load_grocery_coupons


@pytest.fixture(scope="module")
def grocery():
    return load_grocery()


@pytest.fixture(scope="module")
def coupons():
    return load_grocery_coupons()


def test_the_tables_have_the_documented_columns_and_rows(grocery):
    profile = ["age", "income", "home_ownership", "marital_status", "household_size", "household_comp", "kids_count"]
    shapes = {name: (len(table), list(table)) for name, table in grocery.items() if name != "DESCR"}

    assert shapes == {
        "purchases": (137_635, ["user", "item", "day"]),
        "products": (2_303, ["item", "category", "department", "name"]),
        "households": (500, ["user", *profile]),
        "coupons": (24_489, ["user", "item", "coupon", "campaign", "day", "redeemed"]),
    }


def test_the_sample_is_what_its_description_says(grocery):
    purchases, coupons = grocery.purchases, grocery.coupons

    assert grocery.products["category"].nunique() == 294
    assert grocery.products["department"].nunique() == 24
    assert coupons["redeemed"].sum() == 355
    assert coupons.loc[coupons["redeemed"] == 1, "user"].nunique() == 128
    assert purchases.groupby("user").size().max() == 300
    assert purchases["day"].min() == 0
    assert purchases.equals(purchases.sort_values(["user", "day"], kind="stable"))
    assert coupons["day"].is_monotonic_increasing
    for phrase in ("The Complete Journey", "84.51°", "MIT licence", "CC0", "simulated data", "1.45 %", "2,469", "300"):
        assert phrase in grocery.DESCR


def test_tables_refer_to_rows_that_are_there(grocery):
    for table in (grocery.purchases, grocery.coupons):
        assert table["user"].isin(grocery.households["user"]).all()
        assert table["item"].isin(grocery.products["item"]).all()
    assert grocery.products["item"].is_unique
    assert grocery.households["user"].is_unique


def test_names_of_products_are_clean_and_different(grocery):
    names = grocery.products["name"]

    assert names.is_unique
    assert not names.str.contains(r"^\s|^/|\s$|\s\s").any()
    assert {"ORGANIC APPLES", "BAKING NEEDS / BREADINGS COATINGS CRUMBS"} <= set(names)


def test_profiles_are_text_and_missing_stays_missing(grocery):
    profile = grocery.households.set_index("user")

    assert profile.loc[3, ["age", "household_size"]].tolist() == ["25-34", "4"]
    assert profile["kids_count"].dropna().map(type).eq(str).all()
    assert profile.isna().sum().to_dict() == {
        "age": 199,
        "income": 199,
        "home_ownership": 275,
        "marital_status": 253,
        "household_size": 199,
        "household_comp": 199,
        "kids_count": 199,
    }


def test_the_licences_are_beside_the_data():
    text = (files("sklearn_din.datasets") / "data" / "LICENSE.txt").read_text(encoding="utf-8")

    assert "Copyright (c) 2025 James Cunningham" in text
    assert "Permission is hereby granted, free of charge" in text
    assert "CC0 1.0 Universal" in text


def test_each_mailing_is_a_row_in_order_of_day(grocery, coupons):
    category = dict(zip(grocery.products["item"], grocery.products["category"], strict=True))
    age = dict(zip(grocery.households["user"], grocery.households["age"], strict=True))
    mailed = grocery.coupons

    assert coupons.data["household"].astype(int).tolist() == mailed["user"].tolist()
    assert coupons.data["campaign"].astype(int).tolist() == mailed["campaign"].tolist()
    assert coupons.data["item"].tolist() == mailed["item"].tolist()
    assert coupons.data["category"].tolist() == [category[item] for item in mailed["item"]]
    pd.testing.assert_series_equal(coupons.data["age"], mailed["user"].map(age), check_names=False)
    assert coupons.day.tolist() == mailed["day"].tolist()
    assert coupons.target.tolist() == mailed["redeemed"].tolist()
    assert coupons.data.index.equals(pd.RangeIndex(24_489))


def test_histories_are_the_newest_purchases_before_the_day_of_the_mailing(grocery, coupons):
    category = dict(zip(grocery.products["item"], grocery.products["category"], strict=True))
    rows = np.random.default_rng(0).choice(24_489, 100, replace=False)

    for row in rows:
        household, day = coupons.data["household"][row], coupons.day[row]
        own = grocery.purchases[grocery.purchases["user"] == household]
        expected = own.loc[own["day"] < day, "item"].tolist()[-50:]
        assert coupons.data["hist_item"][row].tolist() == expected
        assert coupons.data["hist_category"][row].tolist() == [category[item] for item in expected]
    assert coupons.data["hist_item"][rows].map(len).between(1, 50).sum() > 50
    assert coupons.data["hist_item"].map(len).eq(0).mean() == pytest.approx(0.30, abs=0.005)  # as the description says
    assert coupons.target[coupons.day >= 330].sum() == 76


def test_columns_have_the_types_that_the_encoder_takes_by_itself(coupons):
    types = coupons.data.dtypes

    assert all(isinstance(types[name], pd.CategoricalDtype) for name in ("household", "campaign"))
    assert types["item"] == types["category"] == coupons.target.dtype == np.int64
    assert coupons.data["income"].dropna().map(type).eq(str).all()


def test_the_bunch_holds_the_same_data_in_each_form(coupons):
    X, y = load_grocery_coupons(return_X_y=True)

    assert coupons.feature_names == list(coupons.data) == list(X)
    assert coupons.feature_names[:4] == ["household", "campaign", "item", "category"]
    assert coupons.feature_names[-2:] == ["hist_item", "hist_category"]
    assert coupons.target.equals(y)
    assert coupons.frame.drop(columns="redeemed").equals(coupons.data)
    assert coupons.frame["redeemed"].equals(y)
    assert coupons.DESCR == load_grocery().DESCR


def test_a_changed_frame_does_not_reach_the_next_call():
    products = load_grocery().products
    products["name"] = "changed"

    assert load_grocery().products["name"].nunique() == 2_303


def test_return_x_y_is_true_or_false():
    with pytest.raises(ValueError, match="'return_X_y' parameter of load_grocery_coupons"):
        load_grocery_coupons(return_X_y="yes")


@pytest.mark.parametrize("load", [load_grocery, load_grocery_coupons])
def test_without_pandas_the_extra_is_named(load, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(ImportError, match=r"pip install sklearn-din\[pandas\]"):
        load()
