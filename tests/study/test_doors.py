"""The names that scripts outside this repository use (they are a promise)."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from gensim.models import KeyedVectors

import study.agreement
import study.store


def test_agreement_of_descriptions_by_its_public_names() -> None:
    vectors = study.agreement.load_vectors()
    assert isinstance(vectors, KeyedVectors)
    assert study.agreement.description_agreement(["plant", "plant"], vectors) == pytest.approx(1)
    assert study.agreement.description_agreement(["plant", ""], vectors, stop_words=()) is None
    assert inspect.signature(study.agreement.load_vectors).parameters["path"].default is None


def test_a_study_by_its_public_names(tmp_path: Path) -> None:
    store = study.store.StudyStore.create(tmp_path / "study.sqlite", items=["a", {"id": "b"}], answers_per_item=1, seed=1)
    item = store.claim("worker 1")
    assert item is not None
    answers = {"short": "striped fur", "long": "black stripes on fur", "ease": 4, "confidence": 5, "useful": "B"}
    store.submit("worker 1", item.id, answers)
    store.close()
    with study.store.StudyStore(tmp_path / "study.sqlite") as again:
        row = again.answers().iloc[0]
        assert (row["item"], row["worker"], row["ease"], row["useful"]) == (item.id, "worker 1", 4, "B")
