"""What all pages and endpoints have in common: doors, roles, errors, templates, streams."""
