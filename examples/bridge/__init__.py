"""Socket.IO and plain WebSockets in one room, in several processes."""
