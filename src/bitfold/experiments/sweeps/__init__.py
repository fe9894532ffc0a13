"""Many runs with one purpose: a grid of settings, trained side by side."""
