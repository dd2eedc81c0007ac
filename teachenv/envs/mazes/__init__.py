"""Grid worlds whose sizes are tasks."""
