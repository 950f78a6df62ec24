"""
Program: one server emits over a broker, another one in the same process hears it, both in greenlets.

Arguments: ``eventlet`` or ``gevent``; the package of the server that emits; the name of the managers' class; the
broker's URL. Ends well once it is heard.
"""

from __future__ import annotations

import sys
import warnings
from importlib import import_module

mode, emitting_package, manager_name, url = sys.argv[1:]
warnings.simplefilter("ignore")  # eventlet calls itself deprecated
if mode == "eventlet":
    import_module("eventlet").monkey_patch()
else:
    import_module("gevent.monkey").patch_all()

import fastsio  # noqa: E402 - what is imported from here on is patched

package = import_module(emitting_package)
emitting = package.Server(async_mode=mode, client_manager=getattr(package, manager_name)(url))
manager = getattr(fastsio, manager_name)(url)
listening = fastsio.Server(async_mode=mode, client_manager=manager)
emitting.manager.initialize()
manager.initialize()
# Were a manager to block the thread, this loop would not go on; the test has a timeout.
while not manager.listening:
    emitting.emit("news", 1)
    emitting.sleep(0.02)
