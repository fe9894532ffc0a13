"""The studio: how soon and how often a page sees new polytopes, and what that costs."""
