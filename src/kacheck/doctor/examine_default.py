"""Where keepalived's configuration is."""

DEFAULT = "/etc/keepalived/keepalived.conf"
