"""Physical models of machines: one file each, without clocks, threads or I/O. docs/simulation.md has the equations."""
