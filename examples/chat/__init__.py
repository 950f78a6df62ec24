"""A chat: FastAPI and fastsio behind one page, in memory, without any service."""
