"""
Workers without stickiness: a request for another worker's session is passed on to that worker, with its connection.

These modules read nothing of a request but the engine sid in its first line.
"""
