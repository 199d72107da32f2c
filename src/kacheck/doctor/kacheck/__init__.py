"""KA5: kacheck itself.

installation.py, entry_point_calls.py and state_files.py read; the others judge.
"""
