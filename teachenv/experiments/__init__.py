"""Running, resuming, evaluating and drawing curricula."""
