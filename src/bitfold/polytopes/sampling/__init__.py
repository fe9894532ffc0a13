"""The engine that compares pixels."""
