# For pyright only. Polars names np.ndarray in its signatures, yet numpy is no dependency of ours, and if it were
# installed for development, pandera would import it and our own code could use it unnoticed.

from typing import Any

def __getattr__(name: str) -> Any: ...
