"""Sources of samples, one chip or source per file."""
