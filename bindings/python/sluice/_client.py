"""What producers, consumers and admin clients share: opening, waiting, log lines, operations, the end.

Waiting. Nothing waits inside C for long: a wait for records, reports or room sleeps on the client's one
descriptor in Python, where signals are handled at once; a wait for an operation is made of slices of
SLICE_MS, between which Python looks for signals. So Ctrl-C needs no helper, and another thread's interrupt
none either.

The end. The C client is freed by its object's __del__, never before: no call can be under way then, and no other part
of a cycle that is collected can have freed it. Other handles go in any order. Nothing here keeps the process alive.
"""
import ctypes
import logging
import select
import time
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, Union

from . import _abi
from ._library import Library, library, text
from .errors import ClosedError, ConfigError, error_of

SLICE_MS = 20
FOREVER = float("inf")
logger = logging.getLogger("sluice")
_LEVELS = {3: logging.ERROR, 4: logging.WARNING, 5: logging.INFO, 6: logging.INFO, 7: logging.DEBUG}
_LOG_LEVELS = ((logging.DEBUG, "debug"), (logging.INFO, "info"), (logging.WARNING, "warning"))

TokenSource = Callable[[], Tuple[str, Optional[float]]]  # an OAUTHBEARER token, and for how many seconds


class Handle:
    """Owns one thing of the library's, which goes when this object does."""

    __slots__ = ("value", "_free", "__weakref__")

    def __init__(self, value: Optional[int], free: Any) -> None:
        self.value = value
        self._free = free

    def __del__(self) -> None:
        value, self.value = self.value, None
        if value and self._free is not None:
            self._free(value)


def setting_text(value: Any) -> str:
    """A setting as the library reads it: true and false in small letters, lists with commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(setting_text(item) for item in value)
    return str(value)


def settings_of(dotted: Optional[Mapping[str, Any]], words: Mapping[str, Any]) -> Dict[str, str]:
    """{"linger.ms": 5} and linger_ms=5 mean the same; None is the default."""
    found = {name: setting_text(value) for name, value in (dotted or {}).items() if value is not None}
    for name, value in words.items():
        if value is not None:
            found[name.replace("_", ".")] = setting_text(value)
    return found


def milliseconds(timeout: Optional[float]) -> int:
    """Of seconds; None waits without limit."""
    return -1 if timeout is None else max(0, min(int(timeout * 1000 + 0.999), 2**31 - 1))


class Client:
    """A producer, a consumer or an admin client."""

    _role = 0

    def __init__(self, settings: Dict[str, str], oauth_token: Optional[TokenSource] = None) -> None:
        self._lib: Library = library()
        self._oauth_token = oauth_token
        self._closed = False
        self._h = 0
        settings.setdefault("bootstrap.servers", "localhost:9092")
        if settings.setdefault("log.to", "events") == "events":
            settings["fd.events"] = "true"
            level = logger.getEffectiveLevel()
            settings.setdefault("log.level", next((name for at, name in _LOG_LEVELS if level <= at), "error"))
        self._reads_events = settings["log.to"] == "events"
        self._h = self._open(settings)
        self._fd: int = self._lib.client_fd(self._h)
        if self._fd < 0:
            raise self._error(self._fd)

    def _open(self, settings: Mapping[str, str]) -> int:
        lib, out = self._lib, ctypes.c_void_p()
        config = Handle(lib.config_create(), lib.config_free)
        for name, value in settings.items():
            lib.config_set(config.value, name.encode(), value.encode())
        code = lib.client_open(config.value, self._role, None, ctypes.byref(out))
        if code == _abi.ERR_CONFIG:
            raise error_of(lib, code, message=text(lib.config_message(config.value)).strip(), kind=ConfigError)
        if code != 0:
            raise error_of(lib, code)
        return out.value or 0

    def _error(self, code: int, message: str = "") -> Exception:
        return error_of(self._lib, code, self._h, message)

    def _check(self, code: int) -> None:
        if code != 0:
            raise self._error(code)

    def _assert_open(self) -> None:
        if self._closed:
            raise ClosedError("the client is closed", _abi.ERR_CLOSED, "SLUICE_ERR_CLOSED")

    def fileno(self) -> int:
        """The descriptor that is readable while there is something to act on, for select and its like."""
        return self._fd

    # ---- waiting ----

    def _sleep(self, deadline: float) -> bool:
        """Until there is something to act on; False at the deadline. Signals are handled meanwhile."""
        left = None if deadline == FOREVER else max(0.0, deadline - time.monotonic())
        poller = select.poll()
        poller.register(self._fd, select.POLLIN)
        ready = bool(poller.poll(None if left is None else int(left * 1000) + 1))
        if ready:
            self._read_events()
        return ready

    @staticmethod
    def _deadline(timeout: Optional[float]) -> float:
        return FOREVER if timeout is None else time.monotonic() + timeout

    def _read_events(self) -> None:
        """Log lines go to logging, and a token is fetched, on this thread. Other events have calls that tell more."""
        if not self._reads_events and self._oauth_token is None:
            return
        event, lib = _abi.Event(), self._lib  # of its own: other threads may read events too
        while lib.event_now(self._h, 0, ctypes.byref(event), ctypes.sizeof(event)) == 0 and event.kind != 0:
            if event.kind == _abi.EVENT_LOG:
                logger.log(_LEVELS.get(event.code, logging.WARNING), "%s", text(event.text))
            elif event.kind == _abi.EVENT_TOKEN and self._oauth_token is not None and not self._closed:
                self.set_token(*self._oauth_token())

    def _wait_op(self, op: Handle, timeout: Optional[float]) -> int:
        """The outcome of an operation, whose own deadline it is that counts."""
        while True:
            code: int = self._lib.op_wait(op.value, SLICE_MS)
            self._read_events()
            if code not in (_abi.ERR_PENDING, _abi.ERR_INTERRUPTED):
                return code

    def _begin(self, call: Any, *arguments: Any) -> Handle:
        """Starts an operation: a call whose last argument is the ticket."""
        out = ctypes.c_void_p()
        self._check(call(*arguments, ctypes.byref(out)))
        return Handle(out.value, self._lib.op_free)

    def _do(self, call: Any, *arguments: Any) -> Handle:
        """Starts an operation, waits for it, and raises what it ended with."""
        op = self._begin(call, *arguments)
        code = self._wait_op(op, None)
        if code != 0:
            raise self._error(code, text(self._lib.op_message(op.value)))
        return op

    # ---- what every client can ----

    def ready(self, timeout: Optional[float] = 60.0) -> None:
        """Returns once the cluster is reached; raises the reason why it is not."""
        self._assert_open()
        self._do(self._lib.client_ready, self._h, milliseconds(timeout))

    def partitions_for(self, topic: str, timeout: Optional[float] = 60.0) -> "set[int]":
        """The partitions of a topic."""
        self._assert_open()
        deadline, count = self._deadline(timeout), ctypes.c_int32()
        while True:
            code = self._lib.client_partitions(self._h, topic.encode(), SLICE_MS, ctypes.byref(count))
            self._read_events()
            if code == 0:
                return set(range(count.value))
            late = time.monotonic() >= deadline
            if code not in (_abi.ERR_TIMEOUT, _abi.ERR_UNREACHABLE, _abi.ERR_PENDING) or late:
                raise self._error(code)

    def create_topic(self, topic: str, partitions: int = -1, replicas: int = -1,
                     settings: Optional[Mapping[str, Any]] = None, timeout: Optional[float] = 60.0) -> None:
        """Creates a topic; -1 is the brokers' default."""
        self._do(self._lib.admin_create_topic, *self._topic_arguments(topic, partitions, replicas, settings),
                 milliseconds(timeout))

    def _topic_arguments(self, topic: str, partitions: int, replicas: int,
                         settings: Optional[Mapping[str, Any]]) -> Any:
        self._assert_open()
        words = [word.encode() for name, value in (settings or {}).items() for word in (name, setting_text(value))]
        array = (ctypes.c_char_p * (len(words) + 1))(*words, None)
        return self._h, topic.encode(), partitions, replicas, array

    def delete_topic(self, topic: str, timeout: Optional[float] = 60.0) -> None:
        """Deletes a topic with all its records."""
        self._assert_open()
        self._do(self._lib.admin_delete_topic, self._h, topic.encode(), milliseconds(timeout))

    def metrics(self, timeout: Optional[float] = 10.0) -> List[Dict[str, Any]]:
        """All metrics, as METRICS.md lists them, a dict a row."""
        self._assert_open()
        op = self._do(self._lib.metrics_snapshot, self._h, milliseconds(timeout))
        return rows_of(self._lib, self._lib.op_table(op.value, None))

    def dump(self, timeout: Optional[float] = 1.0) -> str:
        """The readable state of the client; no secrets."""
        room = ctypes.create_string_buffer(1 << 16)
        size = self._lib.client_dump(self._h, room, len(room), milliseconds(timeout))
        if size < 0:
            raise self._error(size)
        if size >= len(room):
            room = ctypes.create_string_buffer(size + 4096)
            self._lib.client_dump(self._h, room, len(room), milliseconds(timeout))
        return text(room.value)

    def set_login(self, user: str, secret: str) -> None:
        """Another user and password for connections that are opened from now on."""
        self._assert_open()
        self._check(self._lib.client_set_login(self._h, user.encode(), secret.encode()))

    def set_token(self, token: str, lifetime: Optional[float] = None, principal: Optional[str] = None) -> None:
        """An OAUTHBEARER token, for how many seconds from now it is good (None: nobody knows), and whose it is."""
        self._check(self._lib.client_set_token(self._h, token.encode(), milliseconds(lifetime),
                                               principal and principal.encode()))

    def interrupt(self) -> None:
        """Makes calls of this client that wait in C return; those that wait in Python need it not."""
        self._lib.client_interrupt(self._h)

    def _begin_close(self, timeout: Optional[float]) -> Handle:
        self._closed = True
        return self._begin(self._lib.client_close, self._h, milliseconds(timeout))

    def close(self, timeout: Optional[float] = 30.0) -> None:
        """Ends the client, by the timeout at the latest. A second close does nothing."""
        if self._closed:
            return
        code = self._wait_op(self._begin_close(timeout), timeout)
        self._check_close(code)

    def _check_close(self, code: int) -> None:
        if code not in (0, _abi.ERR_CLOSED):
            raise self._error(code)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        self.close()

    def __del__(self) -> None:
        handle, self._h = getattr(self, "_h", 0), 0
        if handle:
            self._lib.client_free(handle)

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be pickled: open one in each process")

    def __repr__(self) -> str:
        return f"<sluice.{type(self).__name__}{' closed' if self._closed else ''}>"


def rows_of(lib: Library, table: Optional[int]) -> List[Dict[str, Any]]:
    """A table of the library's as a list of dicts."""
    columns: List[bytes] = []
    while (name := lib.table_column(table, len(columns))) is not None:
        columns.append(name)
    rows = []
    for i in range(lib.table_rows(table)):
        row: Dict[str, Any] = {}
        for name in columns:
            word = lib.table_str(table, i, name)
            if word is not None:
                row[text(name)] = text(word)
            elif lib.table_real(table, i, name, -1.0) != -1.0 or lib.table_real(table, i, name, 0.0) != 0.0:
                real = lib.table_real(table, i, name, 0.0)
                row[text(name)] = int(real) if real == int(real) else real
            else:
                row[text(name)] = None
        rows.append(row)
    return rows


class Admin(Client):
    """A client that only looks after topics; producers and consumers can do so as well."""

    _role = _abi.ADMIN

    def __init__(self, bootstrap_servers: Union[str, Iterable[str], Mapping[str, Any], None] = None, *,
                 oauth_token: Optional[TokenSource] = None, **settings: Any) -> None:
        dotted = bootstrap_servers if isinstance(bootstrap_servers, Mapping) else None
        if dotted is None:
            settings["bootstrap_servers"] = bootstrap_servers
        super().__init__(settings_of(dotted, settings), oauth_token)
