"""The parts that the classes for asyncio and for threads share: registration, options, decisions. No I/O."""
