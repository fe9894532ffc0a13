"""Measurements behind the tables and figures of the documentation."""
