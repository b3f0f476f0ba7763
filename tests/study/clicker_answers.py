"""A table of answers in which one worker clicks the same for everything."""

from __future__ import annotations

import pandas as pd


def clicker_answers() -> pd.DataFrame:
    """Six items; `good` and `other` work, `clicker` gives one answer to all, fast, with one text, `lone` meets nobody."""
    rows = []
    for i in range(6):
        rows += [
            (f"i{i}", "good", f"short {i}", f"a long text about {i}", i % 5 + 1, 4, "B", 60.0),
            (f"i{i}", "other", "stripes", f"quite another text {i}", (i + 1) % 5 + 1, 4, "B" if i < 3 else "C", 90.0),
            (f"i{i}", "clicker", "thing", "Nice picture!" if i % 2 else "nice  PICTURE", 5, 5, "both", 6.0),
        ]
    rows.append(("j", "lone", None, None, 3, None, None, None))
    return pd.DataFrame(rows, columns=["item", "worker", "short", "long", "ease", "confidence", "useful", "seconds"])
