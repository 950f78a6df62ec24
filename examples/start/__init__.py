"""A page from which all examples are reached."""
