"""What is learned: numbers or pictures in, scores out."""
