"""A page as strangers may open it: `streamlit run apps/guarded.py -- annotate.py STUDY`, which is what `barlow study serve` does."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from shared.first_paint import FirstPaint, study_words
from shared.guard import Guard, headers
from shared.studies import close_studies
from starlette.middleware import Middleware

from study.participants.platforms import MTURK_FRAMES, MTURK_HOSTS

WORKERS = "annotate.py"
ADDRESS, PORT = "browser.serverAddress", "browser.serverPort"  # of the proxy, where there is one


@asynccontextmanager
async def life(_: st.App) -> AsyncIterator[None]:
    """Around all that the server does. Its way to end skips what Python has to do at exit."""
    yield
    close_studies()


script = sys.argv.pop(1)  # the words after it are the page's own
# Mechanical Turk may show the workers' page in its frames, and gets its form back.
frames, forms = (MTURK_FRAMES, MTURK_HOSTS) if script == WORKERS else ((), ())
given = headers(
    frames=[f"https://{host}" for host in frames],
    forms=[f"https://{host}" for host in forms],
    host=f"{st.get_option(ADDRESS)}:{st.get_option(PORT)}" if st.config.is_manually_set(ADDRESS) else "",
)
middleware = [Middleware(Guard, headers=given, folder=Path(__file__).resolve().parent)]
if script == WORKERS:
    middleware.append(Middleware(FirstPaint, words=study_words(Path(sys.argv[1]))))
# Streamlit looks for this line, without running it.
app = st.App(script, lifespan=life, middleware=middleware)
