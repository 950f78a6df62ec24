"""Closing what was opened."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager

import pytest

from fastsio.injection.lifetimes import unwind, unwind_async


class Recorder:
    """Opens managers that write down how they are left."""

    def __init__(self):
        self.log = []

    def open(self, name, *, swallow=False, replace=None):
        @contextmanager
        def manager():
            try:
                yield
            except BaseException as error:
                self.log.append((name, type(error)))
                if replace is not None:
                    raise replace from error
                if not swallow:
                    raise
            else:
                self.log.append((name, None))
                if replace is not None:
                    raise replace

        entered = manager()
        entered.__enter__()
        return entered

    async def open_async(self, name):
        @asynccontextmanager
        async def manager():
            try:
                yield
            except BaseException as error:
                self.log.append((name, type(error)))
                raise
            else:
                self.log.append((name, None))

        entered = manager()
        await entered.__aenter__()
        return entered


def test_managers_are_left_in_reverse_order():
    """What was opened last may depend on what was opened first."""
    recorder = Recorder()

    unwind([recorder.open("first"), recorder.open("second")])

    assert recorder.log == [("second", None), ("first", None)]


def test_the_exception_reaches_every_manager_and_is_not_raised_again():
    """Who throws it in has it already."""
    recorder = Recorder()

    unwind([recorder.open("first"), recorder.open("second")], ValueError())

    assert recorder.log == [("second", ValueError), ("first", ValueError)]


def test_a_manager_that_swallows_does_not_hide_the_failure_from_the_others():
    """A transaction must not be committed because a logger was content."""
    recorder = Recorder()

    unwind([recorder.open("database"), recorder.open("logger", swallow=True)], ValueError())

    assert recorder.log == [("logger", ValueError), ("database", ValueError)]


def test_a_failing_manager_does_not_keep_the_others_open():
    """Its error is thrown into those that remain, and raised at the end."""
    recorder = Recorder()

    with pytest.raises(KeyError):
        unwind([recorder.open("first"), recorder.open("second", replace=KeyError("x"))])

    assert recorder.log == [("second", None), ("first", KeyError)]


def test_a_replaced_exception_is_what_comes_out():
    """A dependency may translate an error."""
    recorder = Recorder()

    with pytest.raises(PermissionError):
        unwind([recorder.open("first", replace=PermissionError())], ValueError())


async def test_both_colours_are_left_in_one_order():
    """Generators and async generators share one stack."""
    recorder = Recorder()
    managers = [recorder.open("sync"), await recorder.open_async("async")]

    await unwind_async(managers, ValueError())

    assert recorder.log == [("async", ValueError), ("sync", ValueError)]


async def test_a_failing_manager_does_not_keep_async_ones_open():
    """The rule holds for both colours."""
    recorder = Recorder()
    managers = [await recorder.open_async("async"), recorder.open("sync", replace=KeyError("x"))]

    with pytest.raises(KeyError):
        await unwind_async(managers)

    assert recorder.log == [("sync", None), ("async", KeyError)]
