"""The half for asyncio: servers, clients, managers and the Engine.IO transport. Modules without I/O decide for them."""
