"""A study to try out: the same items and settings, nobody's answers, and nothing that reaches the real one."""

from __future__ import annotations

from pathlib import Path

from study.store import StudyStore


def preview_copy(store: StudyStore, path: str | Path) -> StudyStore:
    """A new study at `path` with the items and settings of `store`, and no workers or answers.

    The pictures stay where they are: `load_item_panel(store.path, data)` reads them.

    Raises:
        BarlowError: `path` exists or cannot be written.
    """
    settings = {name: getattr(store.settings, name) for name in store.settings.names()}
    return StudyStore.create(path, items=store.item_list(), **settings)
