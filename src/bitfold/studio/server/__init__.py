"""The server: one guard, pages, trainers and the cutter."""
