"""The condition model: what is normal for one machine, how far off it is, and why."""
