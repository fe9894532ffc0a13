"""How small, how fast and how safe model files are."""
