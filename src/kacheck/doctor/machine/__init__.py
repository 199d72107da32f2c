"""KA1, KA009 and KA510: what can be found without a configuration.

system.py, facts.py and process_events.py look; the others judge.
"""
