"""Simulated chips: each answers by its register map, with the state, FIFO and fault bits of its data sheet."""
