"""`kacheck doctor`: what causes a FAULT, or will: configuration, machine and kacheck itself.

- finding.py: what a finding is, and the decorator that declares one at its function
- context.py: all that such a function may look at
- the rooms: machine (KA1), keepalived (KA0), scripts (KA2), processes (KA3), files (KA4) and
  kacheck (KA5); modules without findings read what the others judge
- catalogue.py: the modules of each room, and the list of codes that follows from them
- examine.py, crash.py: all findings of one configuration; a crash is one, too
- permissions.py: may we read all that keepalived reads?
- features.py: what a configuration uses, for the faults of keepalived's releases
- text.py: findings as text and JSON
"""
