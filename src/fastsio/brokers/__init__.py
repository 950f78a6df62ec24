"""The code for each broker that client managers and channel layers share: clients, publishers, subscriptions."""
