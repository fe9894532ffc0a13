"""The messages between the studio's processes and pages."""
