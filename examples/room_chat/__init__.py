"""Rooms over plain WebSockets and a channel layer."""
