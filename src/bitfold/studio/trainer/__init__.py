"""The process that trains one run, as pages order."""
