"""The daemons on the node: sensors and cameras in, messages out."""
