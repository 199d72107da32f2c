"""`kacheck init`: a working configuration for this node.

What the machine says (`network`, `vault_server`, `hcl`), what is written (`recipe`, `existing`),
what is tested before that (`rehearsal`, `adverts`), and what comes next (`next_steps`).
"""
