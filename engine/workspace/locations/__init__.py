"""Code locations: projects whose code runs only in processes of their own interpreters."""
