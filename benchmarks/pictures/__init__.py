"""How well and how fast pictures are learned, and how small they become."""
