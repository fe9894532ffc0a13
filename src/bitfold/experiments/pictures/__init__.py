"""From a picture to the smallest good file: a search over networks, and its page."""
