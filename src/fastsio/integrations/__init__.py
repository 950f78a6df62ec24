"""Applications and handlers with which web frameworks and servers serve fastsio."""
