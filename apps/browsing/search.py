"""What `barlow search` found: several blindspots at once, each a rule about a weighted sum of features."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd
import streamlit as st
from shared.html import TERMS, figure, image_words, plain, rate_bar, stats, term
from shared.panel_pictures import panel_html

from barlow_core import views
from barlow_core.analyses import FoundRule, found_rule, found_rules, rule_images, searched_groups, strongest_images
from barlow_core.analyses.verdicts import CONFIRMED, verdict_counts
from barlow_core.run import Run
from barlow_core.wording import count
from browsing.columns import in_percent, percent_column, points_column
from browsing.data import of_run
from browsing.images import SIZE
from browsing.jobs import find, jobs, like_visualize, show_job, start
from browsing.judgements import Opinions
from browsing.panels import found_panel
from browsing.run_place import bound, go, here, read_rule, rule_place

SHOWN = {"failures": "Failures", "successes": "Successes", "all": "All"}
FOUND_AGAIN = (
    "How often the search, repeated on random halves of the searched images, selects mostly the same held-out images again."
)


def show_search(run: Run, opinions: Opinions) -> None:
    """The page, from top to bottom; where nothing was searched, the command that does."""
    missing = views.not_searched_words(run)
    if missing is not None:
        st.info(f"{missing} Run this, then reload:")
        st.code(f"barlow search {run.path}", language="bash")
        return
    groups, table = of_run(run, searched_groups), of_run(run, found_rules)
    _certain(run, groups, table)
    if table.empty:
        return
    row = _chosen(table)
    _list(table[table["verdict"] == CONFIRMED], "Confirmed", key="confirmed rules", opinions=opinions)
    guesses = table[table["verdict"] != CONFIRMED]
    if len(guesses):
        with st.expander(f"{count(len(guesses), 'rule')} not confirmed, or of too few images to tell"):
            _list(guesses, "", key="other rules", opinions=opinions)
    _rule(run, FoundRule(row.to_dict()), opinions)


def _certain(run: Run, groups: pd.DataFrame, table: pd.DataFrame) -> None:
    values = [(name.capitalize(), f"{n:,}") for name, n in verdict_counts(table).items()]
    values.append(("Groups searched", f"{int(groups['reason'].isna().sum()):,} of {len(groups):,}"))
    st.html(
        f'<h2 class="bw-h2">What the search found</h2><p class="bw-lead">{escape(views.certain_words(run, groups, table))}</p>'
        f"{stats(values)}"
    )
    if table.empty:
        st.info(views.NO_RULE)


def _chosen(table: pd.DataFrame) -> pd.Series:
    """The rule in the address, or the first."""
    wanted = read_rule(here().rule)
    if wanted is not None:
        found = table[(table["group"] == wanted[0]) & (table["number"] == wanted[1])]
        if len(found):
            return found.iloc[0]
        st.warning(plain(f"The search found no rule {wanted[1]} in {wanted[0]}. This is the first one."))
    return table.iloc[0]


def _list(table: pd.DataFrame, title: str, *, key: str, opinions: Opinions) -> None:
    """Rules as a table; a ticked row is shown below."""
    if table.empty:
        st.info(f"{views.NONE_CONFIRMED} What follows is a guess at best.")
        return

    def open_ticked() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        if rows:
            row = table.iloc[rows[0]]
            go(rule=rule_place(str(row["group"]), int(row["number"])))

    if title:
        st.html(f'<h3 class="bw-h3">{title} <span class="bw-lead">Select a row to see the rule.</span></h3>')
    words = [_words(FoundRule(row), opinions) for row in table.to_dict("records")]
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    shown = ["group", "words", "held_out_error_rate", "held_out_increase", "n_images", "verdict_reason"]
    if "stability" in table and table["stability"].notna().any():
        shown.insert(-1, "stability")
    st.dataframe(
        in_percent(table.assign(words=words)[shown], {"held_out_increase", "held_out_error_rate", "stability"} & set(shown)),
        column_config={
            "group": text("Group", pinned=True),
            "words": text("Images with", width="large"),
            "held_out_error_rate": percent_column("ER, held out", help=TERMS["Held-out ER"]),
            "held_out_increase": points_column("Increase, held out", help=TERMS["Held-out increase"]),
            "n_images": number("Images", format="localized"),
            "stability": percent_column("Found again", help=FOUND_AGAIN),
            "verdict_reason": text("Why", width="medium"),
        },
        hide_index=True,
        placeholder="–",
        on_select=open_ticked,
        selection_mode="single-row",
        key=key,
        alt=f"{len(table):,} rules of the search",
    )


def _words(rule: FoundRule, opinions: Opinions) -> str:
    return views.direction_words(rule, opinions.names(rule.group, set(rule.short.features)))


# --- one rule


def _rule(run: Run, rule: FoundRule, opinions: Opinions) -> None:
    """Verdict, sentence, numbers, features, A, B and C, images."""
    row = rule.row
    words = views.found_rule_words(rule, opinions.names(rule.group, set(rule.short.features)))
    kind = "necessary" if rule.confirmed else "spurious"
    group = escape(words.group).replace("(EC)", f"({term('EC')})")
    st.html(
        f'<h2 class="bw-h2">{escape(words.title)} <span class="bw-lead">rule {rule.number + 1}</span></h2>'
        f'<div class="bw-chips"><span class="bw-chip bw-{kind}">{escape(str(row["verdict"]))}</span> '
        f'<span class="bw-lead">{escape(str(row["verdict_reason"]))}</span></div>'
        f"<p>{escape(words.of)} <strong>{escape(words.what)}</strong>{words.in_short}, <strong>{words.error_rate}</strong> {words.counted}. "
        f'<span class="bw-quiet">{group}</span></p>'
        f"{rate_bar(row['held_out_error_rate'] if words.error_rate else 0, row['ber'])}"
        f"{''.join(f'<p class=bw-quiet>{escape(said)}</p>' for said in words.notes)}"
    )
    _features(run, rule, opinions)
    _panel(run, rule, opinions.read_only)
    _images(run, rule)


def _features(run: Run, rule: FoundRule, opinions: Opinions) -> None:
    """The features that say the rule in short, each with the images of the group where it is strongest."""
    shown = rule.short
    names = opinions.names(rule.group, set(shown.features))
    cells = []
    strongest = of_run(run, _strongest, group=rule.group, number=rule.number)
    for feature, weight in list(zip(shown.features, shown.weights, strict=True))[: len(strongest)]:
        pictures = "".join(
            figure(row["path"], alt=f"{row['label']} image {row['name']}, feature {feature} is strong")
            for row in views.with_paths(run, strongest[feature]).to_dict("records")
        )
        said = f" “{names[feature]}”" if feature in names else ""
        amount = "much" if weight > 0 else "little"
        cells.append(
            f"<div><h5><b>{amount}</b> of feature {feature}{escape(said)} ({weight:+.2f})</h5>"
            f'<div class="bw-strip">{pictures}</div></div>'
        )
    st.html(
        '<h3 class="bw-h3">Features that take part <span class="bw-lead">where each is strongest</span></h3>'
        f'<div class="bw-strips bw-parts">{"".join(cells)}</div>'
    )


def _panel(run: Run, rule: FoundRule, read_only: bool) -> None:
    direction = rule.direction
    st.html('<h3 class="bw-h3">What the weighted sum is about</h3>')
    panel = found_panel(run, rule.group, direction)
    if panel is not None:
        st.html(panel_html(panel))
        return
    name = f"panel {rule.group} {direction.slug}"
    show_job(
        find(run, name),
        lambda: start(run, name, lambda: jobs().panel(run, rule.group, direction, **like_visualize(run))),
        label="Make this panel",
        hint="The pictures of this weighted sum have not been made yet. For all confirmed rules: barlow visualize RUN --search",
        key=name,
        read_only=read_only,
    )


def _images(run: Run, rule: FoundRule) -> None:
    """The images that follow the rule, the clearest first."""
    place = here()
    table = of_run(run, _followers, group=rule.group, number=rule.number)
    counts = {name: len(views.filter_images(table, outcome=name)) for name in SHOWN}
    st.html('<h3 class="bw-h3">Images that follow the rule <span class="bw-lead">the clearest first</span></h3>')
    st.segmented_control(
        "Show",
        list(SHOWN),
        wrap=True,
        label_visibility="collapsed",
        format_func=lambda name: f"{SHOWN[name]} {counts[name]:,}",
        **bound("show", place.show, change=lambda value: {"show": value or here().show}),
    )
    page = views.image_page(run, views.filter_images(table, outcome=place.show), page=place.part, size=SIZE)
    if not page.n_images:
        st.info("None of them. Show all images.")
        return
    cells = "".join(_cell(row) for row in page.rows.to_dict("records"))
    st.html(f'<div class="bw-images">{cells}</div>')
    if page.n_pages > 1:
        with st.container(horizontal=True, vertical_alignment="center", key="pages"):
            st.button("← Previous", key="before", disabled=page.page <= 1, on_click=go, kwargs={"part": page.page - 1})
            st.html(f'<p class="bw-lead">{page.first:,} to {page.last:,} of {page.n_images:,}</p>', width="content")
            st.button("Next →", key="after", disabled=page.page >= page.n_pages, on_click=go, kwargs={"part": page.page + 1})


def _cell(row: Mapping[Any, Any]) -> str:
    words, outcome = image_words(row), "failure" if row["failure"] else "success"
    picture = figure(row["path"], alt=f"{row['name']}: {words}, {outcome}")
    return f'<div class="bw-cell bw-{outcome}">{picture}<span>{escape(words)}</span></div>'


def _followers(run: Run, *, group: str, number: int) -> pd.DataFrame:
    return views.images_at(run, rule_images(run, found_rule(run, group, number)))


def _strongest(run: Run, *, group: str, number: int) -> dict[int, pd.DataFrame]:
    found = strongest_images(run, found_rule(run, group, number))
    return {feature: views.images_at(run, images) for feature, images in found.items()}
