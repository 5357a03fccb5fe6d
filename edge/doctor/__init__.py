"""A look at the node for a person: what is wired, whether it reads, and what would keep it from working."""
