"""Reason: what a library said went wrong in an object store, as the end of a sentence.

Nothing in it may be secret: no signature in an address, nothing of what a store tells about a request.
"""

from __future__ import annotations

import re

_MACHINE = re.compile(r"/latest/(?:api/token|meta-data)|/computeMetadata/|/metadata/identity/")
"""What a machine in a cloud is asked for credentials by, which is the last that is tried."""
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_QUERY = re.compile(r"(https?://[^\s?]+)\?\S*")
_PAGE = re.compile(r"<html.*", re.DOTALL | re.IGNORECASE)
_REFUSAL = re.compile(r"(?:<\?xml[^>]*>\s*)?<Error>\s*<Code>.*?(?:</Error>|\Z)", re.DOTALL)
"""The document by which a store refuses a request, or its beginning. It tells all of the request that was signed: on
S3 the token of the session, too. Source: Amazon S3 API, "Error responses"."""
_CODE, _MESSAGE = re.compile("<Code>([^<]*)</Code>"), re.compile("<Message>([^<]*)</Message>")
_SIGNATURE = re.compile(r"([?&](?:sig|x-amz-signature|x-goog-signature)=)[^&\s\"')]+", re.IGNORECASE)


def without_credentials(text: str) -> str:
    """Return a text without what others could use that libraries and stores tell of requests.

    That are the signatures of addresses, and all that a store says of a request that it refused but for why.
    """
    return _SIGNATURE.sub(r"\1***", _REFUSAL.sub(_why, text))


def reason(error: BaseException) -> str:
    """Return in one line what an error of obstore, delta-rs or Polars says."""
    text = _COLOR.sub("", str(error)).partition("\n\nDebug source")[0]
    if _MACHINE.search(text):
        return (
            "no credentials were found in a storage profile, the environment or the machine's role; "
            "docs/object_stores.md says where they may stand"
        )
    text = _PAGE.sub("", _REFUSAL.sub(_why, text))
    return " ".join(_QUERY.sub(r"\1", text).split()).rstrip(" :")


def _why(refusal: re.Match[str]) -> str:
    """Return what of a document is for everybody."""
    return ", ".join(found[1] for pattern in (_CODE, _MESSAGE) if (found := pattern.search(refusal.group())))
