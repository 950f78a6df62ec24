"""Several servers as one: the messages they exchange and what each does about them, without I/O."""
