"""How fastsio meets web frameworks and servers."""
