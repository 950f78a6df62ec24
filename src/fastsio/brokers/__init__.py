"""What client managers and channel layers share of each broker: clients, publishers, subscriptions, reconnecting."""
