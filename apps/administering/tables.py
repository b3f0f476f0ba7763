"""Columns of the admin page's tables that need more than a name."""

from __future__ import annotations

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig


def moment_column(label: str) -> ColumnConfig:
    """A moment, to the minute."""
    return st.column_config.DatetimeColumn(label, format="YYYY-MM-DD HH:mm", timezone="UTC")


def money_column(label: str) -> ColumnConfig:
    """An amount, to the cent."""
    return st.column_config.NumberColumn(label, format="%.2f")
