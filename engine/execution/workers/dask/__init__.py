"""Dask: the executor that calls functions on the workers of a cluster. Nothing else imports Dask."""
