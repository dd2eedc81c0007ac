"""Cheap control worlds whose physics are tasks."""
