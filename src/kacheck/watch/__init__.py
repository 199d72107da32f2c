"""The watcher: keeps every configured check's verdict current.

- worker.py: a thread for each check; looks when asked, posts what it found
- supervisor.py: one thread, one selector; takes configurations and signals (alarm.py)
- scheduler.py: starts looks, declares timeouts
- decisions.py: from results to verdicts
- publisher.py, track_files.py: verdicts to the state directory's files
- timers.py: what is due, and when
- journal.py: transitions and troubles, a line each
- status_server.py: what the watcher says of itself, through a socket
- notify.py: systemd's READY, WATCHDOG, STATUS
- readable.py: whether the watcher's user can read what a configuration names
- metrics.py: Prometheus's textfile collector
- consul_reports.py: verdicts reported to Consul's TTL checks
"""
