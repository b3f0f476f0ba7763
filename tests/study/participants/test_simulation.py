from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import pytest

from barlow_core.errors import BarlowError
from study.agreement import item_agreement, load_vectors
from study.answers.tokenization import STOP_WORDS
from study.errors import RefusedError
from study.participants.simulated_vocabulary import CONCEPTS, EMPTY, LONG
from study.participants.simulation import PAPER_TASTE, Participant, population, simulate
from study.questionnaire import words
from study.store import StudyStore
from study.store.clock import Clock, seconds_of

Make = Callable[..., StudyStore]


def study_items(n: int) -> list[dict[str, object]]:
    items: list[dict[str, object]] = [{"id": f"label:class {i}:{i}", "feature": i} for i in range(n)]
    checks = [{"id": f"attention {i}", "kind": "attention", "expected": {"ease": 1 + 4 * (i % 2)}} for i in range(3)]
    return [*items, *checks, {"id": "practice", "kind": "practice", "feedback": "Well done."}]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyStore]:
    path = tmp_path_factory.mktemp("simulated") / "study.sqlite"
    with StudyStore.create(path, items=study_items(40), answers_per_item=5, checks_every=6) as store:
        simulate(store, seed=3)
        yield store


def test_a_study_is_completed_by_the_rules_and_marked(simulated: StudyStore) -> None:
    assert simulated.progress().complete
    assert simulated.check() == []
    table = simulated.answers()
    assert len(table) == 200
    assert table["simulated"].all()
    assert simulated.workers()["simulated"].all()
    assert simulated.progress().cost == 0
    assert len(simulated.payments()) == 0
    kinds = simulated.events()["kind"].value_counts()
    assert kinds["submitted"] >= 200
    assert kinds["draft"] > 50


def test_time_passes_as_it_would(simulated: StudyStore) -> None:
    table = simulated.answers()
    assert 40 < table["seconds"].median() < 200
    at = simulated.events()["at"]
    assert at.is_monotonic_increasing
    assert at.iloc[-1].timestamp() < seconds_of(Clock().now().utc)
    first, last = table["submitted_at"].min(), table["submitted_at"].max()
    assert (last - first).total_seconds() > 600


def test_the_same_seed_gives_the_same_answers(make_store: Make) -> None:
    tables = []
    for number, seed in enumerate((1, 1, 2)):
        store = make_store(f"{number}.sqlite", items=study_items(6), answers_per_item=3, clock=Clock())
        simulate(store, seed=seed)
        tables.append(store.answers()[["item", "short", "ease", "useful"]].to_dict("records"))
    assert tables[0] == tables[1] != tables[2]


def test_skill_carelessness_and_speed_are_seen_in_the_answers(make_store: Make) -> None:
    vectors = load_vectors()
    found = {}
    for name, person in {
        "good": Participant(skill=1.0, carelessness=0.0, speed=100.0, stamina=60),
        "poor": Participant(skill=0.1, carelessness=0.0, speed=100.0, stamina=60),
        "careless": Participant(skill=1.0, carelessness=1.0, speed=10.0, stamina=60),
    }.items():
        store = make_store(f"{name}.sqlite", items=study_items(18), answers_per_item=4, max_failed_checks=None, clock=Clock())
        simulate(store, [person] * 8, at_once=4)
        table = store.answers()
        agreement = item_agreement(table, vectors, kind="short")["agreement"].astype(float)
        checks = store.answers(kinds=["attention"])["passed"].astype(float)
        found[name] = (
            float(np.nanmean(agreement)),
            float(table["ease"].mean()),
            float(table["seconds"].median()),
            float(checks.mean()),
        )
    assert found["good"][0] > found["poor"][0] + 0.15
    assert found["good"][1] > found["poor"][1] + 0.5
    assert found["careless"][2] < 30 < found["good"][2]
    assert found["careless"][3] < 0.7 < found["good"][3]


def test_taste_decides_the_most_useful_section(make_store: Make) -> None:
    store = make_store(items=study_items(8), clock=Clock())
    simulate(store, [Participant(taste={"C": 1.0, "B": 0.0, "both": 0.0, "none": 0.0}, carelessness=0.0, stamina=40)] * 6)
    assert set(store.answers()["useful"]) == {"C"}


def test_a_population_keeps_to_its_averages() -> None:
    people = list(islice(population(random.Random(0), skill=0.7, carelessness=0.2, speed=80.0), 3000))
    assert np.mean([person.skill for person in people]) == pytest.approx(0.7, abs=0.02)
    assert np.mean([person.carelessness > 0.3 for person in people]) == pytest.approx(0.2, abs=0.03)
    assert np.mean([person.stamina for person in people]) == pytest.approx(19.14, abs=1)
    taste = {name: np.mean([p.taste[name] / sum(p.taste.values()) for p in people]) for name in PAPER_TASTE}
    assert taste == pytest.approx(PAPER_TASTE, abs=0.03)


def test_people_and_simulated_participants_are_not_mixed(store: StudyStore) -> None:
    store.claim("a person")
    with pytest.raises(RefusedError, match="1 person has taken part"):
        simulate(store)
    assert len(store.workers()) == 1


def test_too_few_participants_leave_a_study_incomplete(make_store: Make) -> None:
    store = make_store(items=study_items(20), clock=Clock())
    done = simulate(store, [Participant(stamina=3)] * 2)
    assert done.workers <= 2
    assert 0 < store.progress().answers < 20


def test_other_questionnaires_are_answered_within_their_rules(make_store: Make) -> None:
    own = {
        "title": "Own",
        "questions": [
            {"id": "name", "kind": "text", "name": "Name", "text": "?", "max_words": 1},
            {"id": "mood", "kind": "scale", "name": "Mood", "text": "?", "low": 0, "high": 10},
            {"id": "pick", "kind": "choice", "name": "Pick", "text": "?", "options": [["x", "X"], ["y", "Y"]]},
        ],
    }
    store = make_store(items=[f"i{n}" for n in range(10)], questionnaire=own, clock=Clock())
    simulate(store)
    assert store.progress().complete
    assert store.check() == []


@pytest.mark.parametrize(
    "given",
    [{"skill": 1.2}, {"carelessness": -0.1}, {"speed": 0.0}, {"stamina": 0}, {"taste": {}}, {"taste": {"B": -1.0, "C": 2.0}}],
)
def test_participants_that_cannot_be_are_refused(given: dict) -> None:
    with pytest.raises(BarlowError):
        Participant(**given)


def test_the_vocabulary_keeps_to_the_limits_and_to_known_words() -> None:
    vectors = load_vectors()
    assert len({phrase for concept in CONCEPTS for phrase in concept}) == sum(map(len, CONCEPTS))
    for phrase in [*EMPTY, *(phrase for concept in CONCEPTS for phrase in concept)]:
        assert 1 <= len(words(phrase)) <= 3
        assert all(word in vectors or word in STOP_WORDS for word in words(phrase.lower())), phrase
        assert all(len(words(long.format(phrase))) <= 15 for long in LONG)
