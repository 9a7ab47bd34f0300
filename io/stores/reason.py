"""Reason: what a library said went wrong in an object store, as the end of a sentence.

Nothing in it may be secret: no signature in an address, nothing of what a store tells about a request.
"""

from __future__ import annotations

import re

_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_QUERY = re.compile(r"(https?://[^\s?]+)\?\S*")
_DOCUMENT = re.compile(r"<\?xml.*|<Error>.*|<html.*", re.DOTALL | re.IGNORECASE)
_CODE, _MESSAGE = re.compile("<Code>([^<]*)</Code>"), re.compile("<Message>([^<]*)</Message>")


_SIGNATURE = re.compile(r"([?&](?:sig|x-amz-signature|x-goog-signature)=)[^&\s\"')]+", re.IGNORECASE)


def without_signatures(text: str) -> str:
    """Return a text without the signatures of the addresses in it, by which anybody could ask for the same."""
    return _SIGNATURE.sub(r"\1***", text)


def reason(error: BaseException) -> str:
    """Return in one line what an error of obstore, delta-rs or Polars says."""
    text = _COLOR.sub("", str(error)).partition("\n\nDebug source")[0]
    document = _DOCUMENT.search(text)
    if document is not None:
        said = [found[1] for pattern in (_CODE, _MESSAGE) if (found := pattern.search(document.group()))]
        text = text[: document.start()] + ", ".join(said)
    return " ".join(_QUERY.sub(r"\1", text).split()).rstrip(" :")
