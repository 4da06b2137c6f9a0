"""Values of ``rtpacs.rules`` as JSON columns and back.

Dataclasses become objects with their field names, tuples arrays, enums their values. The content
of an object carries its class name in ``type``. JSON has no NaN: such numbers become the strings
``nan``, ``inf`` and ``-inf``, which ``float`` reads back. Both engines refuse some characters:
see ``text.fit``.
"""

import math
from collections.abc import Iterable
from typing import Any, TypeVar, cast

import cattrs
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union

from rtpacs.errors import StoreError
from rtpacs.rules.objects import Content, Finding, Severity
from rtpacs.store.text import fit

T = TypeVar("T")

TAG = "type"
_WORTH_COUNTING = (Severity.ERROR, Severity.WARNING)


def _converter() -> cattrs.Converter:
    converter = make_converter()
    converter.register_unstructure_hook(float, _number)
    converter.register_unstructure_hook(str, fit)
    configure_tagged_union(Content, converter, tag_name=TAG)
    return converter


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


_CONVERTER = _converter()


def encode(value: object, kind: Any = None) -> Any:
    """Return a value as JSON types; ``kind`` names its type where that is a union or a tuple."""
    return _CONVERTER.unstructure(value, unstructure_as=kind)


def decode(kind: type[T], value: Any) -> T:
    """Return the value of this type.

    Raises
    ------
    StoreError
        The column holds something else: it was not written by this version.
    """
    try:
        return _CONVERTER.structure(value, kind)
    except (cattrs.BaseValidationError, ValueError, TypeError, KeyError) as error:
        raise StoreError(f"a JSON column holds no {kind}") from error


def encode_content(content: Content) -> Any:
    """Return the content of an object as JSON types."""
    return encode(content, Content)


def decode_content(value: Any) -> Content:
    """Return the content of an object.

    Raises
    ------
    StoreError
        The column holds no content.
    """
    return cast("Content", decode(cast("Any", Content), value))


def finding_count(findings: Iterable[Finding]) -> int:
    """Return how many errors and warnings there are: the column beside the findings."""
    return sum(finding.severity in _WORTH_COUNTING for finding in findings)
