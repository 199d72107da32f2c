"""Why is it in FAULT, right now? Per instance: its state, its priority, and the causes.

instance.py reads what the configuration says of an instance; evidence.py asks the machine, with
script_runs.py, interfaces.py and wire.py; state.py judges, as keepalived does; answer.py says
it.
"""
