"""From where somebody opens a page."""

from __future__ import annotations

import streamlit as st


def visitor_address() -> str | None:
    """The network address of the visitor, as a proxy on this computer or the connection itself says; None where neither does."""
    given = st.context.ip_address or st.context.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return given or None
