"""When something is done: at which epochs a frame is drawn, and which rate an epoch has."""
