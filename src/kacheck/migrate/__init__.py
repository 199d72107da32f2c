"""vrrp_track_process made kacheck: `kacheck migrate`."""
