"""The sync client: its methods, its packets, what it sends again, and its class-based namespaces."""
