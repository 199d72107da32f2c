"""KA3: vrrp_track_process. matching.py and tracked_process.py read; the others judge."""
