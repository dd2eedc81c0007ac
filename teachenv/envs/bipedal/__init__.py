"""The bipedal walker on parameterised terrain."""
