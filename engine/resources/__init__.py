"""Resources that are ready-made: a SQL database, an HTTP service, files in an object store."""
