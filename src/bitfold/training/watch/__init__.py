"""Observers of a training: watchdogs, fold monitor, gradient audit and requests to stop."""
