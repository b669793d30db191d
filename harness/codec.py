"""Dataclasses to JSON, and from JSON or TOML back, with every value checked."""

import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from harness.errors import ManifestError

_Kind = TypeVar("_Kind")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def read_toml(kind: type[_Kind], path: Path) -> _Kind:
    """Return a TOML file as ``kind``; raise ManifestError with the entry that is wrong."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ManifestError(f"{path}: cannot be read: {shown_error(error)}") from error
    try:
        decoded: _Kind = decode(kind, document)
    except ValueError as error:
        raise ManifestError(f"{path}: {error}") from error
    return decoded


def encode(value: object) -> Any:
    """Return a dataclass, or what a field of one may have, in types that JSON has."""
    if is_dataclass(value):
        if hasattr(value, "parse"):
            return str(value)
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    return [encode(item) for item in value] if isinstance(value, tuple) else value


def decode(kind: Any, value: object, where: str = "") -> Any:
    """Return ``value`` as ``kind``; raise ValueError, saying where it is wrong and what belongs there.

    ``kind`` is str, int, float, bool, a dataclass of these, ``tuple[X, ...]``, ``Mapping[str, X]``, or one of
    them or None. A dataclass with a class method ``parse`` is written as a text. Its ``__post_init__`` checks
    ranges.
    """
    origin, options = get_origin(kind), get_args(kind)
    make: Callable[..., Any] = kind
    if isinstance(kind, UnionType):
        return None if value is None and NoneType in options else decode(options[0], value, where)
    if origin is tuple and isinstance(value, list):
        return tuple(
            decode(options[0], item, f"{where}{_label(item, place)}") for place, item in enumerate(value)
        )
    if origin is Mapping and isinstance(value, dict):
        return {
            decode(str, key, where): decode(options[1], item, f"{where}.{key}") for key, item in value.items()
        }
    if isinstance(value, str) and hasattr(kind, "parse"):
        make = kind.parse
    elif isinstance(value, dict) and is_dataclass(kind):
        value = _fields(kind, value, where)
    elif not _is(kind, value):
        raise _wrong(where, f"got {shown(value)}, takes {_KINDS.get(origin or kind, 'a table')}")
    try:
        return make(**value) if isinstance(value, dict) else make(value)
    except (ValueError, OverflowError) as error:
        raise _wrong(where, str(error)) from error


def _label(item: object, place: int) -> str:
    """Return how a message calls an item of a list: by its name, if it has one."""
    name = item.get("name") if isinstance(item, dict) else None
    return f" {shown(name)}" if isinstance(name, str) else f"[{place}]"


def _is(kind: Any, value: object) -> bool:
    """Whether ``value`` is a ``kind``: no bool or nan is a number, and each text can be written."""
    if isinstance(value, str):
        # A NUL can be in no command line, a lone surrogate in no file.
        return kind is str and not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)
    if kind is float:
        return type(value) is int or (type(value) is float and math.isfinite(value))
    return type(value) is kind


_KINDS: dict[Any, str] = {
    str: "a text",
    int: "an integer",
    float: "a finite number",
    bool: "true or false",
    tuple: "a list",
}
"""What a type takes; others take a table."""


def printable(text: str) -> str:
    """Escape control characters: a terminal must not obey them."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), text)


def shown(value: object) -> str:
    """Return ``value`` as a message quotes it, in a short line."""
    try:
        text = ascii(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits; a deep structure
        return f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def shown_error(error: BaseException) -> str:
    """Return the text of an error in one short line."""
    text = error.strerror if isinstance(error, OSError) else None
    return (text or " ".join(str(error).split()) or type(error).__name__)[:200]


def _fields(kind: Any, table: Mapping[str, object], where: str) -> dict[str, Any]:
    hints = get_type_hints(kind)
    if unknown := next((key for key in table if key not in hints), None):
        raise _wrong(where, f"unknown key {shown(unknown)}, takes {', '.join(hints)}")
    for field in fields(kind):
        if field.name not in table and field.default is MISSING and field.default_factory is MISSING:
            raise _wrong(where, f"has no {field.name!r}")
    within = f"{where}." if where else ""
    return {key: decode(hints[key], item, f"{within}{key}") for key, item in table.items()}


def _wrong(where: str, message: str) -> ValueError:
    return ValueError(f"{where}: {message}" if where else message)
