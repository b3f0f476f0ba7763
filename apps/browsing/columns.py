"""Columns of tables as people read them: shares as percentages with one decimal, differences with their sign."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
import streamlit as st

PERCENT, POINTS = "%.1f %%", "%+.1f"


def in_percent(table: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """A copy of a table with those columns as percentages; Streamlit's own format for shares shows two decimals."""
    return table.assign(**{column: table[column] * 100 for column in columns})


def percent_column(title: str, **more: Any) -> Any:
    """A column of percentages."""
    return st.column_config.NumberColumn(title, format=PERCENT, **more)


def points_column(title: str, **more: Any) -> Any:
    """A column of differences in percentage points."""
    return st.column_config.NumberColumn(title, format=POINTS, **more)
