"""What of a session may stand in a log."""

from __future__ import annotations

from fastsio.engine.tracing import MAX_SHOWN, label, shown, shown_text


def test_session_ids_are_shortened():
    """They are secrets; the start tells sessions apart."""
    assert label("5fTzQm3Jc8kLq9xWAAAA") == "5fTzQm..."


def test_handshakes_are_hidden():
    """They hold the session id; other packets are shown."""
    assert shown('0{"sid":"5fTzQm3Jc8kLq9xWAAAA"}') == "OPEN"
    assert shown("4hello") == "4hello"
    assert shown("") == ""


def test_what_a_client_sent_takes_one_short_line():
    """Line breaks and the like are written as escapes, and long texts are cut."""
    assert shown_text("http://a") == "http://a"
    assert shown_text("a\nb") == "'a\\nb'..."
    assert len(shown_text("x" * 100_000)) < MAX_SHOWN + 10
