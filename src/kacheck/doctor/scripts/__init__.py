"""KA2: vrrp_script. script.py, program.py and command_line.py read; the others judge."""
