"""Delta tables, commit logs, the ledger and the store that holds them."""
