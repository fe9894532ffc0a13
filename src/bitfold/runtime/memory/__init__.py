"""Memory: arrays over that of parameters, and what a process keeps of what it has freed."""
