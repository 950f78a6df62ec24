"""The logger argument."""

from __future__ import annotations

import logging

from fastsio.base.loggers import choose_logger, heard


def test_a_logger_object_is_taken_as_it_is():
    """Whatever has logging methods may be given."""
    mine = logging.getLogger("fastsio.test.mine")

    assert choose_logger(mine, "fastsio.test.other") is mine


def test_false_logs_errors_and_true_logs_more():
    """The level follows the argument where the application has set none."""
    quiet = choose_logger(False, "fastsio.test.quiet")
    loud = choose_logger(True, "fastsio.test.loud")

    assert quiet.level == logging.ERROR
    assert loud.level == logging.INFO


def test_a_level_of_the_application_stays():
    """The application's own level is not overruled."""
    logging.getLogger("fastsio.test.set").setLevel(logging.WARNING)

    assert choose_logger(True, "fastsio.test.set").level == logging.WARNING


def test_true_brings_a_handler_only_where_nothing_is_configured():
    """Nothing is logged twice under a configured root."""
    name = "fastsio_test_orphan"
    logging.getLogger(name).propagate = False
    assert len(choose_logger(True, name).handlers) == 1

    configured = "fastsio_test_configured"
    logging.getLogger(configured).addHandler(logging.NullHandler())
    assert len(choose_logger(True, configured).handlers) == 1


def test_what_has_to_be_read_goes_where_it_is_written():
    """A server that logs errors only still tells a developer what is wrong when it starts."""
    quiet, mine = choose_logger(False, "fastsio.test.silent"), logging.getLogger("fastsio.test.open")
    mine.setLevel(logging.WARNING)

    assert heard(quiet) is logging.getLogger("fastsio.server")
    assert heard(mine) is mine
    assert heard("any object with the methods of one") == "any object with the methods of one"
