"""Socket.IO for Python: the API of python-socketio, handlers that read like FastAPI's."""
