"""
The parts of :mod:`fastsio.integrations.uvicorn`: WebSockets that picows frames, for the engine.

These modules do not interpret messages.
"""
