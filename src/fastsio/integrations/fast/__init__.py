"""
The parts of :mod:`fastsio.integrations.uvicorn`: WebSockets that picows frames, for the engine.

Must not know what the frames mean.
"""
