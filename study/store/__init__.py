"""The study file: who was shown what, what they answered, and what happened when.

`StudyStore` is the one door, its reading half `study_tables`. Behind it: `settings` (what a study is set to), `schema` and `migrations` (the tables), `connections`
(one writer, many readers), `study_file` (opening, transactions), `creation` and `items` (a new one), `assignment` (who answers what next),
`answering` (drafts and answers), `workers` (joining, blocking, leaving), `backup` and `maintenance` (copies, withdrawals, going back),
`integrity` (is the file whole), `progress` (how far, who earned what), `frames` (tables), `snapshot` (all that analyses need) and `export`.
`interviews` holds the second study of the paper, with practitioners.
"""

from __future__ import annotations

from study.errors import DamagedError, InvalidAnswersError, NotSavedError, RefusedError
from study.store.answering import StoredAnswer
from study.store.assignment import ClaimedItem
from study.store.connections import library_advice
from study.store.maintenance import Withdrawal
from study.store.progress import Progress, Standing
from study.store.settings import StudySettings
from study.store.study_store import StudyStore
from study.store.workers import Worker

__all__ = [
    "ClaimedItem",
    "DamagedError",
    "InvalidAnswersError",
    "NotSavedError",
    "Progress",
    "RefusedError",
    "Standing",
    "StoredAnswer",
    "StudySettings",
    "StudyStore",
    "Withdrawal",
    "Worker",
    "library_advice",
]
