from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from barlow_core import views
from barlow_core.analyses.verdicts import VERDICTS
from barlow_core.errors import BarlowError
from barlow_core.run import Run


def test_group_table_holds_all_groupings_with_their_best_failure_mode(explained_run: Run) -> None:
    table = views.group_table(explained_run, depth=1)
    assert table["group"].tolist() == explained_run.groups()["group"].tolist()
    trucks = table.set_index("group").loc["label:truck"]
    mode = views.failure_mode(explained_run, "label:truck", depth=1, leaf=1)
    assert trucks["rule"] == mode["rule"]
    assert trucks["held_out_increase"] == mode["held_out_increase"]
    assert trucks["covered"] == mode["error_coverage"] == 1.0
    assert trucks["aler_increase"] == pytest.approx(trucks["aler"] - trucks["ber"])
    without = table[table["failure_modes"] == 0]
    assert len(without)
    assert (without["covered"] == 0).all()
    assert without["rule"].isna().all()
    with pytest.raises(BarlowError, match="no trees of depth 9"):
        views.group_table(explained_run, depth=9)


def test_several_failure_modes_cover_what_they_hold_together(explained_run: Run) -> None:
    modes = views.mode_table(explained_run, depth=3)
    assert modes["verdict"].map(VERDICTS.index).is_monotonic_increasing
    assert views.mode_table(explained_run, depth=3, by="iv")["importance_value"].is_monotonic_decreasing
    for key, own in modes.groupby("group"):
        assert own["rank"].tolist() == list(range(1, len(own) + 1))
        row = views.group_table(explained_run, depth=3).set_index("group").loc[str(key)]
        assert row["covered"] * row["n_failures"] == pytest.approx(own["n_failures"].sum())
    assert set(views.mode_table(explained_run, depth=3, grouping="label")["grouping"]) == {"label"}


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "group": ["label:tiger cat", "label:tiger", "prediction:tiger", "label:Egyptian cat"],
            "grouping": ["label", "label", "prediction", "label"],
            "class_name": ["tiger cat", "tiger", "tiger", "Egyptian cat"],
            "ber": [0.2, 0.5, 0.2, np.nan],
            "failure_modes": [1, 0, 2, 0],
            "rule": ["feature[7] < 1.0000", None, "feature[12] > 0.1000", None],
        }
    )


@pytest.mark.parametrize(
    ("text", "options", "found"),
    [
        ("", {}, [1, 0, 2, 3]),
        ("", {"descending": False}, [0, 2, 1, 3]),
        ("TIGER", {}, [1, 0, 2]),
        ("cat tiger", {}, [0]),
        ("egyptian", {}, [3]),
        ("prediction:", {}, [2]),
        ("feature[7]", {}, [0]),
        ("nothing", {}, []),
        ("", {"grouping": "label", "with_modes": True}, [0]),
        ("", {"sort": "class_name", "descending": False}, [3, 1, 2, 0]),
    ],
)
def test_groups_are_found_by_words(table: pd.DataFrame, text: str, options: dict[str, object], found: list[int]) -> None:
    assert views.find_groups(table, text, **options)["group"].tolist() == table["group"].iloc[found].tolist()  # type: ignore[arg-type]


def test_a_column_that_is_not_there_is_named(table: pd.DataFrame) -> None:
    with pytest.raises(BarlowError, match="'size'.*class_name"):
        views.find_groups(table, sort="size")


def test_concentration_counts_failures_inside_failure_modes(explained_run: Run) -> None:
    modes = explained_run.failure_modes()
    for row in views.concentration(explained_run, depth=1).itertuples():
        own = modes[(modes["grouping"] == row.grouping) & (modes["depth"] == 1)]
        # Every image is in exactly one group of a grouping.
        assert row.n_failures == explained_run.benchmark.failure.sum()
        assert row.n_inside == own["n_failures"].sum()
        assert row.share_inside == pytest.approx(row.n_inside / row.n_failures)
        assert row.failure_modes == len(own)
        assert row.groups_with_modes == own["group"].nunique()
        assert row.increase == own["increase"].median()
        assert row.confirmed == (own["verdict"] == "confirmed").sum()
        assert row.confirmed + row.not_confirmed + row.too_few == row.failure_modes
