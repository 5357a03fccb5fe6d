"""What travels between node and gateway, and how it survives the trip."""
