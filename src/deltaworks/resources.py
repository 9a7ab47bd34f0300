"""Ready-made resources: `from deltaworks.resources import SqlDatabase`."""

from __future__ import annotations

from deltaworks.engine.resources.http_client import HttpClient, HttpResponse
from deltaworks.engine.resources.object_files import ObjectFiles
from deltaworks.engine.resources.sql_database import SqlDatabase, WriteMode

__all__ = ["HttpClient", "HttpResponse", "ObjectFiles", "SqlDatabase", "WriteMode"]
