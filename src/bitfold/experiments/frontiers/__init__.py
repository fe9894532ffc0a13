"""Curves of networks: size of the file against the error of the network that it decodes to."""
