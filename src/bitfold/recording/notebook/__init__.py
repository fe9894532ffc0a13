"""What a notebook shows while a network is trained."""
