"""The server: the routes, and one guard before all of them."""
