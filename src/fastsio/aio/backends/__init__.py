"""Client managers for asyncio on message brokers, one module a broker."""
