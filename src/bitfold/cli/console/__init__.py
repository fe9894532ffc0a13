"""The terminal: options, progress, tables."""
