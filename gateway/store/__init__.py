"""Time-series stores behind one contract."""
