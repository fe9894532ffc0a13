"""What a person sees of results: tables and figures, without a window system."""
