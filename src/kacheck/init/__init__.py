"""`kacheck init`: a working configuration for this node.

What the machine says (`network`, `vault_server`, `hcl`), what the VIP follows beside Vault
(`services`), what is written (`recipe`, `existing`), what is tested before that (`rehearsal`,
`adverts`), and what comes next (`next_steps`).
"""
