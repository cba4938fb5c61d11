"""Columns of any frame, ragged lists and checks; knows neither DIN nor torch."""
