"""Lakes in commit logs alone, as planning has them."""

from tests.engine.planning.conftest import lake_of, table_of

__all__ = ["lake_of", "table_of"]
