"""Charts of the library in the ink of a page."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from shared import ink

from barlow_core import vega
from barlow_core.interventions.charts import dose_charts
from barlow_core.interventions.judging import DOSE_COLUMNS


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_line_or_text_of_a_chart_keeps_the_ink_of_white_paper(theme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ink, "page_ink", lambda: ink.INK[theme])
    rows = [("latent", "feature", "leaf", dose, dose, 9, dose / 2, 0.0, dose, 0.0, 0.0) for dose in (0.0, 1.0)]
    (chart,) = dose_charts(pd.DataFrame(rows, columns=list(DOSE_COLUMNS)), "latent").values()
    paper, page = json.dumps(chart), json.dumps(ink.inked(chart))
    assert vega.INK in paper
    assert all(colour not in page for colour in (vega.INK, vega.MUTED, vega.LINE))
    assert vega.BLUE in page  # what tells lines apart stays
    assert '"background": "transparent"' in page
    assert json.dumps(chart) == paper
