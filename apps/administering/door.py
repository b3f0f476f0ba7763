"""Who may see the admin page: whoever knows the study's secret, or has logged in by OIDC and is on the list."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from study.store import StudyStore

EMAILS = "BARLOW_ADMIN_EMAILS"
TRIES, TRIES_SECONDS = 10, 60.0
ENTERED = "entered"


class Attempts:
    """Wrong secrets of the last minute, from all visitors of this process; too many, and nobody's is looked at for a while."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._wrong: deque[float] = deque(maxlen=TRIES)
        self._lock = threading.Lock()

    def wait(self) -> float:
        """Seconds until the next try."""
        with self._lock:
            if len(self._wrong) < TRIES:
                return 0.0
            return max(0.0, self._wrong[0] + TRIES_SECONDS - self._clock())

    def wrong(self) -> None:
        with self._lock:
            self._wrong.append(self._clock())


@st.cache_resource(show_spinner=False)
def _attempts() -> Attempts:
    return Attempts()


def try_secret(store: StudyStore, secret: str, attempts: Attempts) -> str | None:
    """What to say to somebody who tried this secret; None: come in."""
    if seconds := attempts.wait():
        return f"Too many wrong secrets. Try again in {seconds:.0f} seconds."
    if store.admin_allowed(secret):
        return None
    attempts.wrong()
    return "That is not the secret of this study."


def allowed_emails() -> set[str]:
    """Who may in by OIDC, from the environment."""
    return {email.strip().casefold() for email in os.environ.get(EMAILS, "").split(",") if email.strip()}


def may_enter(user: Mapping[str, Any], allowed: set[str]) -> bool:
    """Whether somebody whom the provider has logged in may see the page; an address that it has not verified is nobody's."""
    email = user.get("email")
    return isinstance(email, str) and email.casefold() in allowed and user.get("email_verified") is not False


def passes(store: StudyStore) -> bool:
    """Ask who it is. True for those who may in; everybody else sees a way to say who they are, and nothing of the study."""
    if st.session_state.get(ENTERED):
        return True
    if _has_provider():
        return _by_login()
    st.html('<h1 class="bw-h2">Admin page of a study</h1>')
    if not store.settings.has_admin_secret:
        st.info("This study has no admin secret yet, so nobody can log in. Make one, then reload:")
        st.code("barlow study admin STUDY --new-secret", language="bash")
        return False
    with st.form("door", border=False):
        secret = st.text_input(
            "Secret", type="password", help="barlow study create printed it; barlow study admin STUDY --new-secret makes another."
        )
        tried = st.form_submit_button("Enter", type="primary")
    if not tried:
        return False
    refusal = try_secret(store, secret, _attempts())
    if refusal is not None:
        st.error(refusal)
        return False
    st.session_state[ENTERED] = True
    st.rerun()


def _has_provider() -> bool:
    """Whether Streamlit's secrets.toml names an OIDC provider."""
    return bool(st.secrets.load_if_toml_exists() and "auth" in st.secrets)


def _by_login() -> bool:
    if not st.user.is_logged_in:
        st.html('<h1 class="bw-h2">Admin page of a study</h1>')
        st.button("Log in", on_click=st.login, type="primary")
        return False
    if may_enter(st.user.to_dict(), allowed_emails()):
        return True
    st.error(f"This account may not see this page. {EMAILS} in the environment of the server lists the addresses that may.")
    st.button("Log out", on_click=st.logout)
    return False
