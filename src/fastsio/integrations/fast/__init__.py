"""
WebSockets framed by picows and handed to the engine: the parts of :mod:`fastsio.integrations.uvicorn`.

Must not know what the frames mean.
"""
