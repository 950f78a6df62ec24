"""Client managers for threads, gevent and eventlet on message brokers, one module a broker."""
