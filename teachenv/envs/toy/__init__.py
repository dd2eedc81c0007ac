"""Analytic students: learners made of a few rules, whose best curriculum is known."""
