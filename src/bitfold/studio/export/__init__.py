"""The replay page: one file that shows a recorded run without a server."""
