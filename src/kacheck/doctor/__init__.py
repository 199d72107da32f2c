"""`kacheck doctor`: why is it in FAULT? What in this configuration, kernel or container will bite?

- finding.py: what a finding is; each module that finds has the codes that it can find
- environment.py, causes.py, versions.py, faults.py, from facts.py and process_events.py: the
  machine (KA1..)
- problems.py, references.py: the file itself and its names (KA0..)
- scripts.py, executables.py, commands.py, shell.py: vrrp_script (KA2..)
- processes.py, matching.py: vrrp_track_process (KA3..)
- files.py, units.py: track_file (KA4..)
- own.py, calls.py, watcher.py: kacheck's configuration, watcher and recipes (KA5..)
- reading.py, uses.py, system.py: what of the configuration and the machine these ask for
- readable.py: may we read all that keepalived reads?
- examine.py, text.py: all of them over one configuration, and how it is told
"""
