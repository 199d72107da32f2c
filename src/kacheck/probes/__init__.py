"""Probes: each is a function from its options and a deadline to a Result."""
