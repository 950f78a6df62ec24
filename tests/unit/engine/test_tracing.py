"""What of a session may stand in a log."""

from __future__ import annotations

from fastsio.engine.tracing import label, shown


def test_session_ids_are_shortened():
    """They are secrets; the start tells sessions apart."""
    assert label("5fTzQm3Jc8kLq9xWAAAA") == "5fTzQm..."


def test_handshakes_are_hidden():
    """They hold the session id; other packets are shown."""
    assert shown('0{"sid":"5fTzQm3Jc8kLq9xWAAAA"}') == "OPEN"
    assert shown("4hello") == "4hello"
    assert shown("") == ""
