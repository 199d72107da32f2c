"""A keepalived.conf with one vrrp_script and one instance that tracks it."""

CONFIGURATION = """
global_defs {{
    enable_script_security
}}
vrrp_script it {{
    script "{command}"
    interval 1
    timeout 5
    fall 1
    rise 1
    user root
}}
vrrp_instance VI_1 {{
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {{
        192.0.2.100/24
    }}
    track_script {{
        it
    }}
}}
"""


def one_script(command: str) -> str:
    """Return a configuration whose VIP depends on a command."""
    return CONFIGURATION.format(command=command)
