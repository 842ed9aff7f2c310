"""The shared library: where it is, and its functions with their prototypes.

Calls that cannot block keep the interpreter's lock (ctypes.PyDLL): letting go of it costs more than most
of them take, and very much more while another thread computes. Calls that may block let go of it.
"""
import ctypes
import ctypes.util
import os
import pathlib
import sys
from typing import Any, Callable, List, Optional

from . import _abi

Function = Callable[..., Any]


def _candidates() -> List[str]:
    """In this order: SLUICE_LIBRARY, the package's own folder (a wheel), the system's."""
    named = os.environ.get("SLUICE_LIBRARY")
    if named:
        return [named]
    own = "libsluice.0.dylib" if sys.platform == "darwin" else _abi.SONAME
    beside = pathlib.Path(__file__).resolve().parent / own
    found = ctypes.util.find_library("sluice")
    return [str(beside)] * beside.exists() + [own] + ([found] if found is not None else [])


class Library:
    """A loaded libsluice: every function of the headers as an attribute, without its sluice_."""

    def __init__(self, path: str) -> None:
        releasing, keeping = ctypes.CDLL(path), ctypes.PyDLL(path)
        self.path = path
        for name, (_, _, blocks) in _abi.FUNCTIONS.items():
            try:
                setattr(self, name, _abi.bind(releasing if blocks else keeping, name))
            except AttributeError:
                raise ImportError(f"{path} is no sluice {_abi.VERSION}: it lacks sluice_{name}") from None
        # For calls with timeout 0, which do not block either.
        self.event_now: Function = _abi.bind(keeping, "client_event")
        self.send_now: Function = _abi.bind(keeping, "producer_send_packed")
        self.deliveries_now: Function = _abi.bind(keeping, "producer_deliveries")
        version = self.version_text().decode()
        if version.split(".")[:2] != _abi.VERSION.split(".")[:2]:
            raise ImportError(f"{path} is sluice {version}; this package is for {_abi.VERSION}")

    def __getattr__(self, name: str) -> Function:  # for type checkers: functions are set above
        raise AttributeError(name)


_library: Optional[Library] = None


def library() -> Library:
    """The library that this package uses, loaded when it is first wanted."""
    global _library
    if _library is None:
        tried = []
        for path in _candidates():
            try:
                _library = Library(path)
                return _library
            except OSError as error:
                tried.append(str(error))
        raise ImportError("libsluice was not found; SLUICE_LIBRARY may name it: " + "; ".join(tried))
    return _library


def address(value: bytes) -> int:
    """Where these bytes lie; they have to be kept meanwhile."""
    return ctypes.cast(ctypes.c_char_p(value), ctypes.c_void_p).value or 0


def text(value: Optional[bytes]) -> str:
    """A text of the library's, which is UTF-8."""
    return "" if value is None else value.decode("utf-8", "replace")
