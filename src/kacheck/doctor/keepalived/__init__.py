"""KA0: keepalived's configuration itself: what its parser rejects, names and weights."""
