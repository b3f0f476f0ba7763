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
TRIES, TRIES_SECONDS, DELAY, AT_ONCE = 10, 60.0, 2.0, 2
ENTERED = "entered"


class Attempts:
    """Wrong secrets of the last minute, from all visitors of this process; too many, and each further try takes a while.

    Nobody is turned away, or whoever guesses would lock the researcher out as well. A try that takes seconds is enough: a secret has
    at least 12 characters, and the ones that `create` makes 24.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep):
        self._clock = clock
        self._sleep = sleep
        self._wrong: deque[float] = deque(maxlen=TRIES)
        self._lock = threading.Lock()
        self._few = threading.Semaphore(AT_ONCE)  # comparing takes a computer's time on purpose

    @property
    def many(self) -> bool:
        with self._lock:
            return len(self._wrong) == TRIES and self._clock() - self._wrong[0] < TRIES_SECONDS

    def matches(self, store: StudyStore, secret: str) -> bool:
        """Whether this is the secret; after many wrong ones it takes `DELAY` seconds to find out."""
        if self.many:
            self._sleep(DELAY)
        with self._few:
            right = store.admin_allowed(secret)
        if not right:
            with self._lock:
                self._wrong.append(self._clock())
        return right


@st.cache_resource(show_spinner=False)
def _attempts() -> Attempts:
    return Attempts()


def try_secret(store: StudyStore, secret: str, attempts: Attempts) -> str | None:
    """What to say to somebody who tried this secret; None: come in."""
    if attempts.matches(store, secret):
        return None
    many = f" There were many wrong ones: each try takes {DELAY:g} seconds for now." if attempts.many else ""
    return f"That is not the secret of this study.{many}"


def allowed_emails() -> set[str]:
    """Who may in by OIDC, from the environment."""
    return {email.strip().casefold() for email in os.environ.get(EMAILS, "").split(",") if email.strip()}


def may_enter(user: Mapping[str, Any], allowed: set[str]) -> bool:
    """Whether somebody whom the provider has logged in may see the page; an address that it has not verified is nobody's."""
    email = user.get("email")
    return isinstance(email, str) and email.casefold() in allowed and user.get("email_verified") is not False


def passes(store: StudyStore) -> bool:
    """Ask who it is. True for those who may in; everybody else sees a way to say who they are, and nothing of the study."""
    if _has_provider():
        return _by_login()
    # Whoever came in by a secret that has been replaced since has to show the new one.
    if store.settings.admin_hash and st.session_state.get(ENTERED) == store.settings.admin_hash:
        return True
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
    hashed = store.settings.admin_hash
    refusal = try_secret(store, secret, _attempts())
    if refusal is not None:
        st.error(refusal)
        return False
    st.session_state[ENTERED] = hashed
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
