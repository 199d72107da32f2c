"""Consul's agent: how it is reached, for the probe that asks it and for what is reported to it.

options      the options of an agent
agent        an agent, and one request to it
environment  the variables of Consul's own client
ttl_check    a verdict as the update of a TTL check
"""
