"""What K takes."""
