"""
How often the garbage collector looks for cycles among the objects of connections, which live long and are in none.

CPython looks each time 700 containers more than before are alive (2,000 from 3.13 on). The connections that are being
opened at one moment have more, so the generations fill up with what is gone a moment later, and everything there is
gets looked through again and again. With 10,000 that is some 150 connections and not 11. Measured under uvicorn: a
quarter of what a connection costs on 3.11 is saved by that. Cycles that the application makes wait a little longer.
"""

from __future__ import annotations

import gc
from functools import cache
from typing import Final

#: The thresholds that CPython begins with: up to 3.12, and 3.13.
DEFAULTS: Final = ((700, 10, 10), (2_000, 10, 10))
#: How many new containers there are before young objects are looked through.
YOUNG_OBJECTS: Final = 10_000


def collect_less_often() -> bool:
    """
    Raise the threshold of young objects; a collector that is off or has other thresholds is the application's choice.

    Returns:
        Whether the collector has the raised threshold.
    """
    if not gc.isenabled():
        return False
    if gc.get_threshold() in DEFAULTS:
        gc.set_threshold(YOUNG_OBJECTS, *DEFAULTS[0][1:])
    return gc.get_threshold()[0] == YOUNG_OBJECTS


@cache
def freeze_what_is_loaded() -> None:
    """
    Leave out of full collections what the application has loaded, once in a process; it stays for good.

    A collector that the application has set otherwise is left alone.
    """
    if collect_less_often():
        gc.collect()
        gc.freeze()
