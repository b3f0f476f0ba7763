"""What a study found: `barlow study analyze STUDY --app`, or `streamlit run apps/analyze.py -- STUDY`."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

import streamlit as st
from analyzing.coverage import NEED_VECTORS, show_coverage
from analyzing.csv_columns import offer_columns, open_data
from analyzing.exclusion_rule import choose_rule, rule_of
from analyzing.filters import show_filters
from analyzing.items import show_item, show_items, show_worker
from analyzing.new_answers import follow
from analyzing.report import show_report
from analyzing.results import show_section
from analyzing.source import Source, analysis_of, given_source, state_of, warm
from analyzing.study_place import ITEMS, REPORT, adopt_url, bound, go, here, settle, write_url
from shared.html import plain, style
from shared.scroll import begin_at_the_head

from barlow_core.errors import BarlowError
from study.analysis import Analysis, AnalysisOptions, StudyData
from study.report import INTERVIEW_SECTIONS, section, sections_of

# What the buttons say; the sections bring their own titles.
SHORT = {
    "overview": "Overview",
    "core_or_spurious": "Core or spurious",
    "likert": "Ease",
    "preferences": "Preferences",
    "agreement": "Agreement",
    "reliability": "Reliability",
    "quality": "Workers",
    "differences": "Differences",
    "names": "Names",
    "understanding": "Understanding",
    "practitioners": "Interviews",
    "mitigation": "Action items",
}


def pages_of(data: StudyData) -> dict[str, str]:
    """The pages that a study has, by name with what their buttons say, in order."""
    return {**{name: SHORT.get(name, title) for name, title in sections_of(data).items()}, ITEMS: "Items", REPORT: "Report"}


def main() -> None:
    """The page, from top to bottom."""
    st.set_page_config("Study results", layout="wide")
    style()
    st.html(Path(__file__).parent / "analyzing" / "analyze.css")
    try:
        start = given_source()
        state = state_of(start)
        adopt_url()
        data = open_data(start, state)
        if data is None:
            write_url()
            return
        show_study(start, state, data)
    except BarlowError as error:
        st.error(plain(str(error)))
    except OSError as error:
        st.error(plain(f"A file of this study cannot be read: {error}. Restore it, then reload."))


def show_study(start: Source, state: str, data: StudyData) -> None:
    """The header, the way to the sections, and the one that is looked at."""
    dropped = settle(data.choices(), list(pages_of(data)), list(start.vectors))
    place = here()
    show_filters(data, start.vectors)
    with st.sidebar:
        offer_columns(start)
    options = AnalysisOptions(wording=place.wording, rule=rule_of(place), exclude=place.exclude, models=place.models)
    opened = (str(start.path), *map(str, start.columns), str(place.columns))
    analysis = analysis_of(data, (*opened, state), place.filters, options, place.vectors)
    show_header(data, analysis)
    for said in dropped:
        st.warning(plain(said))
    if data.answers.empty and place.page not in INTERVIEW_SECTIONS:
        show_waiting(start, data)
    else:
        show_page(start, analysis)
        warm(analysis, (*opened, repr(place.filters), repr(options), str(place.vectors)))
    inside = place.item or place.worker
    begin_at_the_head(f"{place.page} {inside or ''}", opened=bool(inside))
    write_url()
    follow(start, state)


def show_header(data: StudyData, analysis: Analysis) -> None:
    """What the study is, whether it is simulated, what is kept of it, and the way to its sections."""
    if data.simulated:
        text = analysis.banner or "Some answers of this study are simulated; the filters leave only people's."
        st.html(f'<div class="bw-banner" role="status">{escape(text)}</div>')
    title = data.title or data.name
    st.html(f'<header class="bw-title"><h1>{escape(title)}</h1><p>{escape(data.name)}</p></header>')
    st.segmented_control(
        "Section",
        list(pages_of(data)),
        format_func=pages_of(data).__getitem__,
        required=True,
        label_visibility="collapsed",
        **bound("page", here().page),
    )
    parts = [analysis.n_text]
    if not here().filters.is_empty:
        parts.append(here().filters.text)
    if here().exclude:
        parts.append("Without excluded workers.")
    st.html(f'<p class="bw-kept">{escape(" · ".join(parts))}</p>')


def show_waiting(start: Source, data: StudyData) -> None:
    """A study that nobody has answered yet."""
    st.info(
        f"Nobody has answered yet: {len(data.items):,} items are waiting. Results appear here by themselves as answers come in."
    )
    if not start.is_csv:
        st.code(
            f"barlow study serve {start.path}      # people answer in the browser\n"
            f"barlow study simulate {start.path}   # or try everything out with simulated workers",
            language="bash",
        )


def show_page(start: Source, analysis: Analysis) -> None:
    """The item, worker or section that is looked at."""
    place = here()
    if analysis.data.answers.empty and place.page not in (REPORT, *INTERVIEW_SECTIONS):
        st.info("No answers are left with these filters. Remove one in the sidebar.")
        return
    if place.item is not None:
        show_item(analysis, place.item)
    elif place.worker is not None:
        show_worker(analysis, place.worker)
    elif place.page == ITEMS:
        show_items(analysis)
    elif place.page == REPORT:
        show_report(analysis, start)
    else:
        if place.page in NEED_VECTORS:
            show_coverage(analysis)
        show_section(section(analysis, place.page), analysis, CONTROLS.get(place.page))
        _show_neighbours(place.page, pages_of(analysis.study))


def choose_models() -> None:
    """Models of workers are slower than everything else, and need an extra."""
    st.toggle(
        "Models of workers (Dawid and Skene, MACE)",
        help="Each item's preference when workers are weighted by how reliable a model estimates them to be. "
        "Needs crowd-kit: pip install 'barlow[crowd]'",
        **bound("models", here().models),
    )


CONTROLS = {"quality": choose_rule, "reliability": choose_models}


def _show_neighbours(page: str, pages: Mapping[str, str]) -> None:
    """On to the next section, as one reads."""
    order = list(pages)
    following = order[order.index(page) + 1]
    st.button(f"Next: {pages[following]} →", on_click=go, kwargs={"page": following}, type="tertiary", key="next section")


main()
