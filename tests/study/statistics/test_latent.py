from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from barlow_core.errors import BarlowError
from study.statistics import latent
from study.statistics.latent import NOTHING, ONE_EACH, latent_votes

crowd = pytest.mark.skipif(not latent.installed(), reason="crowd-kit is not installed (barlow[crowd])")


def answers(n_items: int = 100, n_workers: int = 20, spammers: int = 5, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Workers who are right in 85 of 100, and some who answer at random."""
    rng = np.random.default_rng(seed)
    truth = pd.Series(rng.choice(["B", "C", "both"], n_items, p=[0.5, 0.3, 0.2]), index=[f"i{i}" for i in range(n_items)])
    rows = []
    for item, right in truth.items():
        for w in rng.choice(n_workers, 5, replace=False):
            good = w >= spammers and rng.random() < 0.85
            rows.append((item, f"w{w:02d}", right if good else rng.choice(["B", "C", "both", "none"])))
    return pd.DataFrame(rows, columns=["item", "worker", "useful"]), truth


@crowd
@pytest.mark.parametrize("order", [0, 1])
def test_both_models_find_the_truth_and_who_answers_at_random(order: int) -> None:
    """Whatever the order of the rows: crowd-kit's MACE alone mixes up workers and choices where it is not sorted."""
    table, truth = answers()
    found = latent_votes(table.sample(frac=1, random_state=order), iterations=15)
    for model in ("dawid_skene", "mace"):
        assert (found.items[model] == truth.reindex(found.items.index)).mean() > 0.9
        trust = found.workers[model].astype(float).sort_values()
        assert set(trust.index[:5]) == {f"w{w:02d}" for w in range(5)}
        assert found.items[f"p_{model}"].between(0, 1).all()
        assert 0.9 < found.same[model] <= 1
    assert found.workers["n"].sum() == len(table)
    assert found.versions.startswith("crowd-kit ")


@crowd
def test_the_same_seed_gives_the_same_numbers() -> None:
    table, _ = answers(40)
    first, second = latent_votes(table, seed=3, iterations=4), latent_votes(table, seed=3, iterations=4)
    pd.testing.assert_frame_equal(first.items, second.items)
    pd.testing.assert_frame_equal(first.workers, second.workers)


@crowd
def test_too_little_is_said() -> None:
    table, _ = answers(10)
    assert latent_votes(table.assign(useful=None)).reason == NOTHING
    alone = latent_votes(table.drop_duplicates("item"))
    assert (alone.reason, len(alone.items)) == (ONE_EACH, 0)


def test_without_crowd_kit_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent, "installed", lambda: False)
    with pytest.raises(BarlowError, match=r"barlow\[crowd\]"):
        latent_votes(answers(5)[0])
