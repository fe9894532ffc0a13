"""Many runs on the terminal."""
