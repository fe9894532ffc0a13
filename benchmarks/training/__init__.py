"""The speed, steadiness and quality of training."""
