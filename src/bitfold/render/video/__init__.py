"""Frames to a video file."""
