"""The time and memory of K."""
