"""The rANS coder: symbols to words of 16 bits and back."""
