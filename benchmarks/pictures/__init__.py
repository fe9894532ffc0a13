"""How well and how fast networks learn pictures, and how small the files are."""
