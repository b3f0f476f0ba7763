from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from barlow_core.cli import printing
from barlow_core.errors import BarlowError
from barlow_core.run import Run
from barlow_core.views.feature_names import (
    COLUMNS,
    FILE,
    FeatureName,
    effect_in_words,
    names_for,
    names_from,
    read_names,
    rule_in_words,
    rules_in_words,
    write_names,
)

TABLE = pd.DataFrame(
    [
        ("label:husky", 17, "Dog collar.", 4, 5, 0.7, False),
        ("label:wolf", 17, "red leash", 5, 5, 0.8, True),
        ("label:wolf", 20, "None", 2, 5, 0.5, False),
        ("label:cat", 20, "white, ground", 3, 5, None, False),
    ],
    columns=list(COLUMNS),
)
NAMES = names_from(TABLE)


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    (tmp_path / "run.json").write_text("{}")
    return tmp_path


def test_the_rule_of_the_paper() -> None:
    words = rule_in_words([(17, "<", 0.65)], names_for(NAMES, "label:husky"))
    assert (
        effect_in_words(words, 0.318, 0.209).replace("\N{NO-BREAK SPACE}", " ") == "without dog collar, 31.8 % instead of 20.9 %"
    )


def test_several_conditions_and_features_without_a_name() -> None:
    names = {17: FeatureName("US flag", 3, 5)}
    words = rule_in_words([(17, ">", 0.65), (21, "<", 0.1235), (22, ">", 0.5)], names)
    assert words == "with US flag and feature 21 at most 0.1235 and feature 22 above 0.5000"


def test_a_name_of_the_same_group_goes_first_then_the_best_supported() -> None:
    assert names_for(NAMES, "label:husky")[17].name == "Dog collar."
    assert names_for(NAMES, "label:lion") == {
        17: FeatureName("red leash", 5, 5, simulated=True),
        20: FeatureName("white, ground", 3, 5),
    }


def test_failure_modes_of_a_run_in_words() -> None:
    modes = pd.DataFrame(
        {
            "group": ["label:husky", "label:husky", "label:wolf"],
            "conditions": [json.dumps([[17, "<", 0.65]]), json.dumps([[99, "<", 1.0]]), json.dumps([[17, ">", 0.65]])],
        },
        index=[4, 7, 9],
    )
    found = rules_in_words(modes, NAMES)
    assert found.to_dict() == {4: "without dog collar", 7: None, 9: "with red leash (simulated answers)"}
    assert rules_in_words(modes.iloc[:0], NAMES).empty


def test_names_go_into_a_run_and_come_back(run_folder: Path) -> None:
    assert read_names(run_folder) == {}
    write_names(run_folder, TABLE)
    assert read_names(run_folder) == NAMES, "also a name that pandas would take for nothing"
    assert {path.name for path in run_folder.iterdir()} == {"run.json", FILE}


def test_names_want_a_run(tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match="not a run folder"):
        write_names(tmp_path, TABLE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "no column 'group'"),
        (f"{','.join(COLUMNS)}\nlabel:cat,3,fur,4,5,0.5,False\nlabel:cat,x,fur,4,5,0.5,False\n", "line 3: feature is 'x'"),
        (f"{','.join(COLUMNS)}\nlabel:cat,3,fur,,5,0.5,False\n", "line 2: support is ''"),
        (f"{','.join(COLUMNS)}\nlabel:cat,3,fur,4,5,0.5,maybe\n", "line 2: simulated is 'maybe'"),
        ("", "cannot be read"),
    ],
)
def test_a_file_that_somebody_changed_says_where_it_is_wrong(run_folder: Path, text: str, message: str) -> None:
    (run_folder / FILE).write_text(text)
    with pytest.raises(BarlowError, match=message) as raised:
        read_names(run_folder)
    assert FILE in str(raised.value)
    assert "--names-to RUN" in str(raised.value)


def test_show_gives_the_rules_in_words(explained_run: Run) -> None:
    assert "in_words" not in printing.failure_modes(explained_run)
    mode = printing.failure_modes(explained_run, depth=1).iloc[0]
    row = (mode["group"], int(mode["feature"]), "Big wheel", 2, 3, 0.5, False)
    write_names(explained_run.path, pd.DataFrame([row], columns=list(COLUMNS)))
    named = printing.failure_modes(explained_run, depth=1)
    assert named.iloc[0]["in_words"] in ("with big wheel", "without big wheel")
    assert "in_words" in printing.for_people("modes", named)
