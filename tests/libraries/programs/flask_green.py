"""
The Flask application on greenlets: patch first, put fastsio in the place of socketio, then import the application.

Arguments: port, ``gevent`` or ``eventlet``, and the package that is to serve.
"""

from __future__ import annotations

import sys

if sys.argv[2] == "gevent":
    from gevent import monkey

    monkey.patch_all()
else:
    import eventlet

    eventlet.monkey_patch()

if sys.argv[3] == "fastsio":
    import fastsio.compat

    fastsio.compat.install()

from pathlib import Path
from runpy import run_path

run_path(str(Path(__file__).with_name("flask_app.py")), run_name="__main__")
