"""What the asyncio and the threaded half share: registration, options, decisions. No I/O."""
