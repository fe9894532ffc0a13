"""K over many weights: references in PyTorch and compiled loops."""
