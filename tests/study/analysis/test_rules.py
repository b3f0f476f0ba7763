from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from barlow_core.errors import BarlowError
from study.analysis import Analysis
from study.analysis.rules import COLUMNS, Name, feature_names_of, read_names, rule_in_words, rules_in_words, write_names

NAMES = pd.DataFrame(
    [
        ("label:husky", 17, "Dog collar.", 4, 5, 0.7, False),
        ("label:wolf", 17, "red leash", 5, 5, 0.8, False),
        ("label:wolf", 20, "snow", 2, 5, 0.5, False),
        ("label:cat", 20, "white ground", 3, 5, 0.5, False),
        ("label:cat", 21, None, 0, 0, None, False),
    ],
    columns=list(COLUMNS),
)


def test_the_rule_of_the_issue() -> None:
    words = rule_in_words([(17, "<", 0.65)], feature_names_of(NAMES, "label:husky"), error_rate=0.318, base=0.209)
    assert words.replace("\N{NO-BREAK SPACE}", " ") == "without dog collar, 31.8 % instead of 20.9 %"


def test_several_conditions_and_features_without_a_name() -> None:
    names = {17: Name("US flag", 3, 5, "label:husky")}
    words = rule_in_words([(17, ">", 0.65), (21, "<", 0.12345), (22, ">", 0.5)], names, error_rate=0.5, base=0.25)
    assert words.startswith("with US flag and feature 21 at most 0.1235 and feature 22 above 0.5000, 50.0")


def test_a_name_of_the_same_group_goes_first_then_the_best_supported() -> None:
    assert feature_names_of(NAMES, "label:husky")[17].name == "Dog collar."
    assert feature_names_of(NAMES, "label:lion") == {
        17: Name("red leash", 5, 5, "label:wolf"),
        20: Name("white ground", 3, 5, "label:cat"),
    }


def test_failure_modes_of_a_run_in_words() -> None:
    modes = pd.DataFrame(
        {
            "group": ["label:husky", "label:husky"],
            "rule": ["feature[17] < 0.65", "feature[99] < 1"],
            "conditions": [json.dumps([[17, "<", 0.65]]), json.dumps([[99, "<", 1.0]])],
            "error_rate": [0.318, 0.4],
            "ber": [0.209, 0.209],
        }
    )
    found = rules_in_words(modes, NAMES)
    assert found["words"].str.replace("\N{NO-BREAK SPACE}", " ").tolist() == ["without dog collar, 31.8 % instead of 20.9 %"]
    assert found["named"].tolist() == [True]
    assert rules_in_words(modes.iloc[:0], NAMES).empty


def test_names_go_into_a_run_and_come_back(tmp_path: Path, analysis: Analysis) -> None:
    with pytest.raises(BarlowError, match="no run folder"):
        write_names(tmp_path, analysis.names_for_run)
    (tmp_path / "run.json").write_text("{}")
    assert read_names(tmp_path) is None
    write_names(tmp_path, analysis.names_for_run)
    found = read_names(tmp_path)
    assert found is not None
    assert found["name"].tolist() == analysis.names_for_run["name"].tolist()
    assert found["simulated"].all(), "whose words they are goes with them"
    assert {path.name for path in tmp_path.iterdir()} == {"run.json", "feature_names.csv"}
    (tmp_path / "feature_names.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BarlowError, match="no column 'group'"):
        read_names(tmp_path)
