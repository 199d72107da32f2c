"""kacheck: health checks that keepalived can run, and that say why."""

__version__ = "0.1.0"
