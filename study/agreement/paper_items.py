"""The items whose descriptions the paper lists: its agreement against the one computed here."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd
from gensim.models import KeyedVectors

from barlow_core.storage.shipped import data_dir
from study.agreement.cosine import agreement
from study.answers.tokenization import AS_THE_PAPER, STOP_WORDS, Wording


def compare_with_paper(
    vectors: KeyedVectors, *, stop_words: Collection[str] = STOP_WORDS, wording: Wording = AS_THE_PAPER
) -> pd.DataFrame:
    """The short descriptions that the paper lists (Tables 6 and 7, Figures 67 to 76): its agreement against the one computed here.

    Returns:
        A row an item: `table`, `class_name`, `feature`, `grouping`, `descriptions` (the listed ones; the paper prints a missing
        one as "nan", which is left out), `paper`, `computed` (Float64), `difference` (Float64, computed - paper), `same` (equal to the four
        decimals that the paper prints) and `unknown` (words without a vector; where there are none, nothing is missing for the
        same number to come out).
    """
    listed = pd.read_csv(data_dir() / "paper_description_agreement.csv", keep_default_na=False)
    rows = []
    for item in listed.to_dict("records"):
        descriptions = [text for text in str(item["short_descriptions_listed"]).split("|") if text != "nan"]
        result = agreement(descriptions, vectors, stop_words=stop_words, wording=wording)
        paper = float(item["short_cosine"])
        rows.append(
            {
                "table": int(item["table"]),
                "class_name": item["class_name"],
                "feature": int(item["feature"]),
                "grouping": item["grouping"],
                "descriptions": descriptions,
                "paper": paper,
                "computed": result.value,
                "difference": None if result.value is None else result.value - paper,
                "same": result.value is not None and round(result.value, 4) == paper,
                "unknown": result.unknown,
            }
        )
    return pd.DataFrame(rows).astype({"computed": "Float64", "difference": "Float64"})
