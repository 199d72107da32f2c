"""KA5: kacheck itself. installation.py and calls.py read; the others judge."""
