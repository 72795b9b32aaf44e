"""A page's data as one text: a JSON document whose arrays lie in a binary block beside it, compressed together.

The packed bytes are: the length of the document in bytes (little-endian uint32), the document as UTF-8, and the block,
which begins at the next multiple of 8. An array in the document is `{"$": [offset, count, kind]}` with the offset in
bytes from the start of the block; `static/pack.js` makes typed arrays of it without a copy. Equal arrays are stored
once: several exit rules read the same predictions. All of it is compressed with gzip, which browsers undo, and written
in base64, which needs no escaping in HTML.
"""

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

KINDS: Mapping[str, str] = {"u1": "<u1", "u2": "<u2", "i4": "<i4", "f4": "<f4"}
"""Kinds of arrays in a pack, and their NumPy types."""

Reference = dict[str, list[Any]]
"""The place of an array in the document."""

_ALIGNMENT = 8


class Pack:
    """Collects the arrays of a document."""

    def __init__(self) -> None:
        self._block = bytearray()
        self._places: dict[tuple[str, bytes], Reference] = {}

    def add(self, values: ArrayLike, kind: str) -> Reference:
        """Store an array, flattened, and return what stands for it in the document.

        Raises:
            ValueError: whole numbers do not fit the kind, which would be a bug.
        """
        array = np.asarray(values)
        data = np.ascontiguousarray(array, dtype=KINDS[kind])
        if not kind.startswith("f") and not np.array_equal(data, array):
            raise ValueError(f"values from {array.min()} to {array.max()} do not fit {kind}")
        content = data.tobytes()
        if (kind, content) not in self._places:
            self._block += b"\0" * (-len(self._block) % _ALIGNMENT)
            self._places[kind, content] = {"$": [len(self._block), data.size, kind]}
            self._block += content
        return self._places[kind, content]

    def text(self, document: Mapping[str, Any]) -> str:
        """The document with its arrays as base64 text; the same content always gives the same text."""
        header = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        start = len(header).to_bytes(4, "little") + header
        start += b"\0" * (-len(start) % _ALIGNMENT)
        return packed_text(start + bytes(self._block))


def packed_text(content: bytes) -> str:
    """Bytes as compressed base64 text; the same bytes always give the same text."""
    return base64.b64encode(gzip.compress(content, compresslevel=9, mtime=0)).decode("ascii")


def unpack_text(text: str) -> dict[str, Any]:
    """The document of `Pack.text` with NumPy arrays in it: what the page reads."""
    content = gzip.decompress(base64.b64decode(text))
    length = int.from_bytes(content[:4], "little")
    block = content[4 + length + (-(4 + length) % _ALIGNMENT) :]

    def arrays(value: Any) -> Any:
        if isinstance(value, dict) and "$" in value:
            return _array(block, *value["$"])
        if isinstance(value, dict):
            return {key: arrays(each) for key, each in value.items()}
        return [arrays(each) for each in value] if isinstance(value, list) else value

    return arrays(json.loads(content[4 : 4 + length]))


def _array(block: bytes, offset: int, count: int, kind: str) -> NDArray[Any]:
    return np.frombuffer(block, KINDS[kind], count, offset)
