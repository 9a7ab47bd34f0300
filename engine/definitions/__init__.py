"""Values and decorators by which authors say what their tables are."""
