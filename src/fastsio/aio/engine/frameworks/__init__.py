"""
How requests of each web framework become Engine.IO's, and answers become the framework's.

:mod:`.drivers` chooses among them.
"""
