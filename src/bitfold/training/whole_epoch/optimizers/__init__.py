"""The optimisers as compiled loops step them."""
