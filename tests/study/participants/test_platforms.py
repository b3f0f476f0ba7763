from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from barlow_core.errors import BarlowError
from study.errors import UnknownVisitorError
from study.participants.platforms import completion, external_question, identify, links, missing, new_invite_codes
from study.store import StudySettings, admin_secret

PID, STUDY, SESSION = "5f3c0a1b2c3d4e5f60718293", "60b1c2d3e4f5061728394a5b", "61aabbccddeeff0011223344"
PROLIFIC = {"PROLIFIC_PID": PID, "STUDY_ID": STUDY, "SESSION_ID": SESSION}
MTURK = {
    "assignmentId": "3TVRFO09GKEZMW1RRUXRJ3P0EXAMPLE",
    "hitId": "3XUSYT70IT0EXAMPLE",
    "workerId": "A1B2C3D4E5F6G7",
    "turkSubmitTo": "https://www.mturk.com",
}


def settings(**given: Any) -> StudySettings:
    return StudySettings.make({"platforms": ["link", "prolific", "mturk"], "completion_code": "C0DE", **given})


def test_prolific_comes_in_by_its_three_ids_and_goes_out_by_a_redirect() -> None:
    who = identify(PROLIFIC | {"utm": "x"}, settings())
    assert (who.platform, who.worker_id, who.visit, who.preview) == ("prolific", PID, SESSION, False)
    assert who.details == {"study_id": STUDY, "session_id": SESSION}
    assert identify(who.query, settings()) == who
    out = completion(who, settings(), "complete")
    assert (out.url, out.code) == ("https://app.prolific.com/submissions/complete?cc=C0DE", "C0DE")
    screened = completion(who, settings(screened_out_code="0UT"), "screened_out")
    assert screened.url == "https://app.prolific.com/submissions/complete?cc=0UT"
    for outcome in ("screened_out", "unqualified", "declined", "returned", "refused", "full"):
        back = completion(who, settings(), outcome)
        assert (back.url, back.code, back.action) == (None, None, None)
        assert "return your submission" in back.text
    assert "message on Prolific" in completion(who, settings(completion_code=""), "complete").text


def test_mturk_comes_in_as_an_external_question_and_sends_the_form_back() -> None:
    who = identify(MTURK, settings())
    assert (who.platform, who.worker_id, who.visit) == ("mturk", MTURK["workerId"], MTURK["assignmentId"])
    out = completion(who, settings(), "partial")
    assert out.action == "https://www.mturk.com/mturk/externalSubmit"
    assert out.fields["assignmentId"] == MTURK["assignmentId"]
    assert len(out.fields) > 1  # MTurk takes no form without an answer
    sandbox = identify(MTURK | {"turkSubmitTo": "https://workersandbox.mturk.com/"}, settings())
    assert completion(sandbox, settings(), "complete").action == "https://workersandbox.mturk.com/mturk/externalSubmit"
    for outcome in ("declined", "returned", "refused", "full"):
        assert completion(who, settings(), outcome).action is None


def test_a_hit_that_is_only_looked_at_is_a_preview() -> None:
    who = identify({"assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE", "hitId": "3XUSYT70IT0EXAMPLE"}, settings())
    assert (who.platform, who.worker_id, who.preview) == ("preview", "", True)
    assert completion(who, settings(), "complete").action is None


def test_a_plain_link_takes_invited_people_or_everybody() -> None:
    invited = settings(invite_codes=["anna-1234", "ben-5678"], completion_url="https://panel.example/done?who={worker}&cc={code}")
    who = identify({"invite": "anna-1234"}, invited)
    assert (who.platform, who.worker_id, who.new) == ("link", "anna-1234", False)
    assert completion(who, invited, "complete").url == "https://panel.example/done?who=anna-1234&cc=C0DE"
    with pytest.raises(UnknownVisitorError, match="personal invitation"):
        identify({}, invited)
    with pytest.raises(UnknownVisitorError, match="not one of this study"):
        identify({"invite": "anna-1235"}, invited)
    first, second = identify({}, settings()), identify({}, settings())
    assert first.new
    assert first.worker_id != second.worker_id
    again = identify(first.query, settings())
    assert (again.worker_id, again.new) == (first.worker_id, False)
    with pytest.raises(UnknownVisitorError):
        identify(first.query, invited)
    assert identify({}, settings(invite_codes=["anna-1234"], open_link=True)).new


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (PROLIFIC | {"PROLIFIC_PID": "{{%PROLIFIC_PID%}}"}, "did not fill in PROLIFIC_PID"),
        (PROLIFIC | {"PROLIFIC_PID": "me"}, "not an ID of Prolific"),
        (PROLIFIC | {"PROLIFIC_PID": PID + "\n"}, "not an ID of Prolific"),
        (PROLIFIC | {"SESSION_ID": "<script>"}, "SESSION_ID"),
        ({"STUDY_ID": STUDY}, "does not hold your Prolific ID"),
        (PROLIFIC | MTURK, "mixes parameters"),
        ({name: value for name, value in MTURK.items() if name != "workerId"}, "workerId"),
        (MTURK | {"workerId": "A1/../B2"}, "workerId"),
        (MTURK | {"assignmentId": ""}, "assignmentId"),
        (MTURK | {"turkSubmitTo": "https://evil.example"}, "turkSubmitTo"),
        (MTURK | {"turkSubmitTo": "http://www.mturk.com"}, "turkSubmitTo"),
        (MTURK | {"turkSubmitTo": "https://www.mturk.com.evil.example"}, "turkSubmitTo"),
        (MTURK | {"turkSubmitTo": "https://www.mturk.com@evil.example"}, "turkSubmitTo"),
        (MTURK | {"turkSubmitTo": "https://[::1"}, "turkSubmitTo"),
        ({name: value for name, value in MTURK.items() if name != "turkSubmitTo"}, "turkSubmitTo"),
        ({"invite": "guest-short"}, "not one of this study"),
        ({"invite": "x" * 10_000}, "not one of this study"),
        ({"invite": PID}, "not one of this study"),
    ],
)
def test_links_that_cannot_be_are_refused_in_words_for_the_visitor(query: dict[str, str], message: str) -> None:
    with pytest.raises(UnknownVisitorError, match=message) as caught:
        identify(query, settings())
    assert "{" not in str(caught.value)
    assert "evil" not in str(caught.value)  # what a link says is not repeated


def test_each_outcome_has_a_code_and_a_redirect_of_its_own() -> None:
    codes = settings(partial_code="PART", screened_out_code="0UT", full_code="FULL", declined_code="N0")
    who = identify(PROLIFIC, codes)
    assert {
        name: completion(who, codes, name).code
        for name in ("complete", "partial", "screened_out", "unqualified", "full", "declined", "returned")
    } == {
        "complete": "C0DE",
        "partial": "PART",
        "screened_out": "0UT",
        "unqualified": "0UT",
        "full": "FULL",
        "declined": "N0",
        "returned": "N0",
    }
    without = completion(who, settings(), "partial")
    assert (without.code, without.url) == (None, None)
    assert "paid as a bonus on Prolific" in without.text
    assert "return your submission" in without.text
    panel = settings(completion_url="https://panel.example/done?id={worker}&status={outcome}", open_link=True)
    guest = identify({}, panel)
    for outcome in ("complete", "partial", "screened_out", "full"):
        url = completion(guest, panel, outcome).url
        assert url is not None
        assert url.endswith(f"&status={outcome}")
    assert completion(guest, settings(completion_url="https://panel.example/done"), "partial").url is None


def test_a_platform_that_the_study_does_not_take_is_refused() -> None:
    for query, name in ((PROLIFIC, "Prolific"), (MTURK, "Mechanical Turk")):
        with pytest.raises(UnknownVisitorError, match=f"does not take part in {name}"):
            identify(query, StudySettings.make({}))
    with pytest.raises(UnknownVisitorError, match="does not say who you are"):
        identify({}, StudySettings.make({"platforms": "prolific"}))


def test_the_links_to_hand_out_lead_back_to_the_people_they_are_for() -> None:
    chosen = settings(invite_codes=["anna-1234"])
    found = {link.audience: link.url for link in links(chosen, "https://study.example/barlow")}
    assert found["Prolific"] == (
        "https://study.example/barlow/?PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}"
    )
    invited = {name: values[0] for name, values in parse_qs(urlsplit(found["invited person anna-1234"]).query).items()}
    assert identify(invited, chosen).worker_id == "anna-1234"
    assert "everybody" not in found
    assert [link.audience for link in links(StudySettings.make({}), "http://localhost:8501")] == ["everybody"]
    tree = ET.fromstring(external_question("https://study.example/?a=1&b=<2>", height=600))
    assert [child.text for child in tree] == ["https://study.example/?a=1&b=<2>", "600"]


def test_what_is_missing_is_said() -> None:
    assert missing(settings(base_pay="0.50", items_per_visit=1)) == []
    assert "would be due once more" in missing(settings())[0]
    (too_much,) = missing(settings(base_pay="2.00", items_per_worker=3))
    assert "base_pay is 2.00, but 3 items earn 1.50 at most" in too_much
    assert "completion code" in missing(StudySettings.make({"platforms": "prolific"}))[0]
    assert "Nobody can take part" in missing(StudySettings.make({"open_link": False}))[0]


def test_invite_codes_are_different_and_can_be_settings() -> None:
    codes = new_invite_codes(200)
    assert len(set(codes)) == 200
    assert StudySettings.make({"invite_codes": codes}).invite_codes == tuple(codes)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"platforms": []}, "platforms are out of"),
        ({"platforms": ["facebook"]}, "platforms are out of"),
        ({"invite_codes": ["abc"]}, "invite code"),
        ({"invite_codes": ["guest-aaaa"]}, "invite code"),
        ({"invite_codes": ["same-1", "same-1"]}, "listed twice"),
        ({"completion_code": "a b"}, "completion_code"),
        ({"completion_url": "javascript:alert(1)"}, "completion_url"),
        ({"completion_url": "https://x.example/{secret}"}, "only {worker}, {code} and {outcome}"),
        ({"completion_url": "https://x.example/{"}, "completion_url"),
        ({"completion_url": "https://x.example/{worker.__class__}"}, "completion_url"),
        ({"base_pay": "-1"}, "base_pay must be an amount"),
        ({"bonus": "much"}, "bonus must be an amount"),
        ({"bonus_after": 0}, "bonus_after"),
        ({"minutes_per_item": 0}, "minutes_per_item"),
        ({"max_failed_checks": 0}, "max_failed_checks"),
        ({"items_per_visit": 1.5}, "items_per_visit"),
        ({"open_link": "yes"}, "open_link"),
    ],
)
def test_settings_that_cannot_be_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        StudySettings.make(given)


def test_the_admin_secret_is_kept_as_a_hash_that_only_the_secret_fits() -> None:
    made = admin_secret.new_secret()
    stored = admin_secret.hashed(made)
    assert made not in stored
    assert stored != admin_secret.hashed(made)  # salted
    assert admin_secret.matches(made, stored)
    for wrong in (made + "x", made[:-1], "", None, 7, "\ud800", b"x"):
        assert not admin_secret.matches(wrong, stored)
    for nothing in ("", "scrypt$1", "md5$a$b$c$d$e", "scrypt$x$8$1$YQ==$YQ=="):
        assert not admin_secret.matches(made, nothing)
    with pytest.raises(BarlowError, match="at least 12"):
        admin_secret.hashed("short")
