"""The asyncio shell: servers, managers and the Engine.IO transport, which read, ask the floors below, await, write."""
