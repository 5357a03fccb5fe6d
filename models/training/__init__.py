"""What made the shipped weights: a renderer of baked goods, training, evaluation. Never needed on a node."""
