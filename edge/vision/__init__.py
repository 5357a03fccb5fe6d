"""Cameras and what is seen in their frames."""
