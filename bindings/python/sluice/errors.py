"""Exceptions: a class for what to do about an error, and the story behind it as the message.

Every exception has `code` (the library's or Kafka's number), `name` ("TOPIC_ALREADY_EXISTS"), `hint` (what
its class means for the program) and `retriable`.
"""
import builtins
import ctypes
from typing import Dict, Optional, Type

from . import _abi
from ._library import Library, text

_HINTS = {
    _abi.CLASS_NOTICE: "nothing is wrong",
    _abi.CLASS_RETRY: "the same call may succeed later",
    _abi.CLASS_ABORT: "abort the transaction, then go on",
    _abi.CLASS_DENIED: "this user may not: permissions or credentials",
    _abi.CLASS_FATAL: "this client cannot go on",
    _abi.CLASS_USAGE: "the program or its settings are wrong",
    _abi.CLASS_GONE: "the thing is closed, fenced or deleted",
}


class KafkaError(Exception):
    """What all errors of sluice are."""

    def __init__(self, message: str, code: int = 0, name: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.name = name
        self.hint = hint

    @property
    def retriable(self) -> bool:
        """The same call may succeed later."""
        return isinstance(self, RetriableError)


class RetriableError(KafkaError):
    """The same call may succeed later."""


class AbortError(KafkaError):
    """The transaction has to be aborted; then the program can go on."""


class DeniedError(KafkaError):
    """Permissions or credentials."""


class FatalError(KafkaError):
    """This client cannot go on."""


class UsageError(KafkaError, ValueError):
    """The program or its settings are wrong."""


class GoneError(KafkaError):
    """The thing is closed, fenced or deleted."""


class ConfigError(UsageError):
    """Settings are wrong; the message has every mistake, a line each."""


class TimeoutError(RetriableError, builtins.TimeoutError):  # pylint: disable=redefined-builtin
    """The deadline passed."""


class BufferFull(RetriableError, BufferError):
    """No room in buffer.memory by the deadline; the record was not accepted."""


class DeliveryError(KafkaError):
    """Records did not make it: `code` says why of one; of many, see their Delivery objects."""


class NotWritten(DeliveryError):
    """Certainly not written: it may be sent again."""


class MaybeWritten(DeliveryError):
    """Nobody can know whether it was written: sending it again may write it twice."""


class ClosedError(GoneError):
    """The client is closed."""


class ForkedError(GoneError):
    """The client belongs to the parent process: open another one after the fork."""


class StaleError(GoneError):
    """The partition was taken away, or was sought elsewhere."""


_BY_CODE: Dict[int, Type[KafkaError]] = {
    _abi.ERR_CONFIG: ConfigError, _abi.ERR_TIMEOUT: TimeoutError, _abi.ERR_FULL: BufferFull,
    _abi.ERR_UNREAD: BufferFull, _abi.ERR_NOT_WRITTEN: NotWritten, _abi.ERR_MAYBE_WRITTEN: MaybeWritten,
    _abi.ERR_CLOSED: ClosedError, _abi.ERR_FORKED: ForkedError, _abi.ERR_STALE: StaleError,
}
_BY_CLASS: Dict[int, Type[KafkaError]] = {
    _abi.CLASS_RETRY: RetriableError, _abi.CLASS_ABORT: AbortError, _abi.CLASS_DENIED: DeniedError,
    _abi.CLASS_FATAL: FatalError, _abi.CLASS_USAGE: UsageError, _abi.CLASS_GONE: GoneError,
}


def error_of(lib: Library, code: int, client: Optional[int] = None, message: str = "",
             kind: Optional[Type[KafkaError]] = None) -> KafkaError:
    """The exception of a code. message: what is known already; else the client's latest story of it."""
    if not message:
        room = ctypes.create_string_buffer(1024)
        lib.client_explain(client, code, room, len(room))
        message = text(room.value)
    what = lib.error_class(code)
    made = kind or _BY_CODE.get(code) or _BY_CLASS.get(what, KafkaError)
    return made(message, code, text(lib.error_name(code)), _HINTS.get(what, ""))
