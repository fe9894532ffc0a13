"""Lambda over the epochs: constant, scheduled, or driven to a size."""
