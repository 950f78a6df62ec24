"""Rooms over plain WebSockets with typed messages."""
