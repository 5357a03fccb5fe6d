"""The whole chain on one machine: broker, nodes, gateway, receivers, each a real process of its own."""
