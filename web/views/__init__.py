"""Views: what a template gets, computed from documents and statuses; no HTML here."""
