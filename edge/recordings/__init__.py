"""Recordings: tables and waveforms in the formats that people have them in, told apart by content."""

from edge.recordings.base import Chunk, Options, RecordingError
from edge.recordings.container import expand
from edge.recordings.reader import Recording, open_recording

__all__ = ["Chunk", "Options", "Recording", "RecordingError", "expand", "open_recording"]
