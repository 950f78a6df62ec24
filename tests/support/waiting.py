"""
How long tests wait for what must happen.

A machine may stall a test, its server and its broker for seconds. So a test that waits for something waits long: that costs
nothing while the test passes. What a test says about time is said with a clock of the test's own, with a count, or with
limits that are far apart: an option of an hour, and a wait of :data:`WAIT_S`.
"""

from __future__ import annotations

#: Seconds after which something that must happen counts as missing.
WAIT_S = 30.0
#: Seconds that a program may take to start: it is imported, and may have to share the machine with others that start.
START_S = 180.0
#: Seconds that a program may take from its start to its end.
PROGRAM_S = 240.0
