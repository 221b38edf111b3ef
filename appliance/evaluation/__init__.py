"""Measures how well questions are answered: golden sets, metrics, runs, and the comparison that gates a change."""
