"""Documents: what is known and decided, as the JSON that commands answer and the REST API answers just so."""
