"""The studio: how soon and how often a page gets new polytopes, and the cost of that."""
