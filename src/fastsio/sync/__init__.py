"""The shell for threads, gevent and eventlet: generated from :mod:`fastsio.aio`, primitives and backends by hand."""
