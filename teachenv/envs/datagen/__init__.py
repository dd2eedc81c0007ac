"""Data-generation environments: the agent is a teacher that makes training data for a student."""
