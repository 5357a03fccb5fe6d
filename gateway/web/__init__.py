"""Pages, API, metrics and the live stream."""
