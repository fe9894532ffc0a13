"""The process that cuts windows and reads runs for pages."""
