"""Ready-made resources: `from deltaworks.resources import SqlDatabase`."""

from __future__ import annotations

from deltaworks.engine.resources.sql_database import SqlDatabase, WriteMode

__all__ = ["SqlDatabase", "WriteMode"]
