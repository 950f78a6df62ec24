"""What of a session may stand in a log."""

from __future__ import annotations

import logging

import pytest

from fastsio.engine.log_format import INTERVAL_S, MAX_SHOWN, Reports, label, shown, shown_message, shown_text


def test_session_ids_are_shortened():
    """They are secrets; the start tells sessions apart."""
    assert label("5fTzQm3Jc8kLq9xWAAAA") == "5fTzQm..."


def test_packets_are_described_by_kind_and_content():
    """In python-engineio's words; what opens a session is hidden, for it holds the session id."""
    described = {
        '0{"sid":"5fTzQm3Jc8kLq9xWAAAA"}': "OPEN data <hidden>",
        '42["news"]': 'MESSAGE data 2["news"]',
        "3probe": "PONG data probe",
        "1": "CLOSE data ",
        "bAAAA": "MESSAGE data <binary>",
        b"x": "MESSAGE data <binary>",
        None: "MESSAGE data <binary>",
        "": "",
        "9x": "9x",
    }

    assert {wire: shown(wire, from_server=True) for wire in described} == described


@pytest.mark.parametrize(
    ("message", "written"),
    [
        ('0{"token":"secret"}', "0<hidden>"),
        ('0{"sid":"secret"}', "0<hidden>"),
        ('0/chat,{"token":"secret"}', "0/chat,<hidden>"),
        ("0/chat?token=secret,", "0/chat<hidden>"),
        ("0", "0"),
        ("0/chat,", "0/chat,"),
    ],
)
def test_credentials_are_hidden(message, written):
    """What a client sends with CONNECT, or as the query of its namespace."""
    assert shown_message(message, from_server=False) == written
    assert shown(f"4{message}", from_server=False) == f"MESSAGE data {written}"


def test_the_sid_of_a_client_is_no_secret():
    """It is the server's answer to CONNECT."""
    assert shown_message('0{"sid":"x"}', from_server=True) == '0{"sid":"x"}'


def test_a_message_takes_one_line():
    """Line breaks in it are written as escapes, and bytes are not written."""
    assert shown_message('2["news",\n1]', from_server=False) == "'2[\"news\",\\n1]'"
    assert shown_message(b"\x81", from_server=False) == "<binary>"


def test_what_a_client_sent_takes_one_short_line():
    """Line breaks and the like are written as escapes, and long texts are cut."""
    assert shown_text("http://a") == "http://a"
    assert shown_text("a\nb") == "'a\\nb'..."
    assert len(shown_text("x" * 100_000)) < MAX_SHOWN + 10


def test_each_kind_is_reported_once_a_minute():
    """The next report says how many were left out."""
    reports = Reports()

    assert reports.due("a", 10.0) == (True, 0)
    assert reports.due("a", 10.0) is None
    assert reports.due("b", 10.0) == (True, 0)
    assert reports.due("a", 9.9 + INTERVAL_S) is None
    assert reports.due("a", 10.0 + INTERVAL_S) == (False, 2)
    assert reports.due("a", 10.1 + INTERVAL_S) is None


def test_what_is_repeated_is_logged_with_its_number(caplog):
    """The first one without."""
    reports, logger = Reports(), logging.getLogger(__name__)

    for now in (10.0, 10.1, 10.2, 10.0 + INTERVAL_S):
        reports.warn(logger, "a", now, "It is full")

    assert caplog.messages == ["It is full", "It is full (2 more since the last such message)"]
