"""Producer: records in, one outcome each.

send() puts a record into a list, the open run of its thread, and returns; runs cross into C whole. That is done when
there are SPAN records, when somebody waits (flush, result, close, send_many), or TICK seconds after the first of
them. For the last, one thread of the process serves all producers; it sleeps for good while nothing is sent, and is
a daemon.

Any number of threads may send, and none takes a lock for a record: each has a Sender, whose lists it alone appends to,
and tags of its own. Whoever holds `_crossing` cuts those lists from their front, a column in one step, and puts what it
cut into C; so the records of a thread keep their order.
"""
import atexit
import ctypes
import os
import threading
import time
import weakref
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from . import _abi
from ._client import FOREVER, Client, Handle, TokenSource, logger, milliseconds, settings_of
from ._library import text
from ._outcomes import OUTCOME_ERRORS, SPAN_BITS, RecordMetadata, Report, Span, Spans
from ._packing import (Columns, Data, Headers, NoRoom, Packer, Run, Sender, check_place, check_places, to_bytes,
                       write_headers)
from .errors import ForkedError, KafkaError, UsageError, error_of

TICK = 0.005
BULK_RECORDS = 4096
SLICE = 0.05
_process = [os.getpid()]


class Delivery:
    """The outcome of one record, when it is known. Thread-safe; waiting for it ends its linger."""

    __slots__ = ("_producer", "_span", "_tag")

    # Three stores cost less than a call of __init__.
    _producer: "Producer"
    _span: Span
    _tag: int

    def _found(self) -> Optional[Tuple[Report, int]]:
        found = self._span.find(self._tag)
        if found is None:
            self._producer._read_reports()
            found = self._span.find(self._tag)
        return found

    def done(self) -> bool:
        """The outcome is known."""
        return self._found() is not None

    def result(self, timeout: Optional[float] = None) -> RecordMetadata:
        """Waits for the outcome: where it was written, or NotWritten, MaybeWritten; TimeoutError by then."""
        producer = self._producer
        found = self._span.find(self._tag)
        if found is None:
            found = producer._await_outcome(self._found, timeout)
        report, index = found
        if report.outcome != _abi.WRITTEN:
            producer._tell(report)
            raise producer._outcome_error(report)
        metadata: RecordMetadata = report.metadata(index)
        return metadata

    get = result  # the name that kafka-python has for it

    def exception(self, timeout: Optional[float] = None) -> Optional[Exception]:
        """Waits for the outcome: None when it is written."""
        try:
            self.result(timeout)
        except KafkaError as error:
            return error
        return None

    def __repr__(self) -> str:
        return f"<sluice.Delivery {'done' if self._span.find(self._tag) else 'pending'}>"


class Deliveries:
    """The outcomes of the records of one send_many."""

    __slots__ = ("_producer", "_span")

    def __init__(self, producer: "Producer", span: Span) -> None:
        self._producer = producer
        self._span = span

    def __len__(self) -> int:
        return self._span.count

    def done(self) -> bool:
        """All outcomes are known."""
        if self._span.known() < self._span.count:
            self._producer._read_reports()
        return self._span.known() >= self._span.count

    def wait(self, timeout: Optional[float] = None) -> "Deliveries":
        """Waits until all outcomes are known, whatever they are."""
        self._producer._await_outcome(lambda: True if self.done() else None, timeout)
        return self

    def failed(self, timeout: Optional[float] = None) -> List[Tuple[int, Exception]]:
        """Waits, and tells the places of the records that did not make it, and why."""
        self.wait(timeout)
        bad = [found for found in self._span.ranges() if found[3].outcome != _abi.WRITTEN]
        for _, _, _, report in bad:
            self._producer._tell(report)
        return [(tag - self._span.first, self._producer._outcome_error(report))
                for first, last, _, report in bad for tag in range(first, last + 1)]

    def result(self, timeout: Optional[float] = None) -> List[RecordMetadata]:
        """Waits: where each record was written, or the error of the first that was not."""
        for _, error in self.failed(timeout):
            raise error
        return [report.metadata(index + i) for first, last, index, report in self._span.ranges()
                for i in range(last - first + 1)]


class Counts(NamedTuple):
    """Records since the producer was opened."""

    pending: int
    pending_bytes: int
    written: int
    not_written: int
    maybe_written: int


class Producer(Client):
    """Sends records.

        with Producer("localhost:9092") as producer:
            producer.send("orders", b"order 1", key=b"customer 7")

    bootstrap_servers  "host:port", a list of them, or a dict of settings by their dotted names.
    key_serializer, value_serializer  make bytes (or str) of what send() is given.
    oauth_token  returns (token, seconds for which it is good), for SASL with OAUTHBEARER; called on a thread that uses
        the producer, or on the one that sends for those that do not wait.
    settings  of CONFIGURATION.md with underscores: linger_ms=20, compression_type="zstd".
    Leaving the with block, close(), and the end of the process send what is queued.
    """

    _role = _abi.PRODUCER

    def __init__(self, bootstrap_servers: Union[str, Iterable[str], Mapping[str, Any], None] = None, *,
                 key_serializer: Optional[Callable[[Any], Data]] = None,
                 value_serializer: Optional[Callable[[Any], Data]] = None,
                 oauth_token: Optional[TokenSource] = None, **settings: Any) -> None:
        dotted = bootstrap_servers if isinstance(bootstrap_servers, Mapping) else None
        if dotted is None:
            settings["bootstrap_servers"] = bootstrap_servers
        found = settings_of(dotted, settings)
        self._reports = found.setdefault("delivery.reports", "all")
        self._block = float(found.pop("max.block.ms", 60000)) / 1000
        super().__init__(found, oauth_token)
        self._pid = _process[0]
        self._spans = Spans()
        self._crossing = threading.RLock()
        self._parts: List[Run] = []  # cut, and not in C yet
        self._senders: Dict[int, Sender] = {}  # by the number of their thread
        self._sender = self._sender_here()  # of the thread that opened it, which mostly is the one that sends
        self._waits = True  # for room, whoever crosses
        self._armed = False
        self._has_sent = False
        self._failed: Optional[Exception] = None  # of the first since the last flush that did not make it
        self._untold: Optional[Report] = None  # whose error that is
        self._packer = Packer(self._lib, self._h)
        self._serialize = (key_serializer, value_serializer)
        self._raw = bytes if self._serialize == (None, None) else Delivery  # what needs no encoding, if anything
        if self._starts_ticks:
            _producers.add(self)

    _starts_ticks = True

    # ---- sending ----

    def send(self, topic: str, value: Any = None, key: Any = None, headers: Headers = None,
             partition: Optional[int] = None, timestamp_ms: Optional[int] = None) -> Delivery:
        """Queues one record; waits only while buffer.memory is full. value None is a tombstone.

        The result tells what becomes of it, to whoever asks; flush() and close() tell of all.
        """
        raw = self._raw
        if value.__class__ is not raw or (key is not None and key.__class__ is not raw) or headers is not None:
            key, value, headers = self._encode(key, value, headers)
        sender = self._sender
        if sender.ident != _get_ident():
            sender = self._sender_here()
        try:
            run = sender.run
            if headers is not None or partition is not None or timestamp_ms is not None or topic != run.plain:
                check_place(topic, partition, timestamp_ms)
                if not run.fits(topic, key, headers, partition, timestamp_ms):
                    run = sender.begin(topic, key, headers, partition, timestamp_ms)
                run.add(value, key, headers, partition, timestamp_ms)
            elif run.keys is not None:
                run.keys.append(key)
                run.values.append(value)
            elif key is None:
                run.values.append(value)
            else:
                sender.begin(topic, key, headers, partition, timestamp_ms).add(value, key, headers, partition,
                                                                               timestamp_ms)
            tag = sender.tag
            sender.tag = tag + 1
        except BaseException:  # a signal's handler may raise anywhere
            with self._crossing:
                sender.count_again()
            raise
        if not self._armed:
            self._arm()
        span = sender.span
        if tag >> SPAN_BITS != span.number:
            span = self._turn(sender, tag)
        delivery = Delivery()
        delivery._producer = self
        delivery._span = span
        delivery._tag = tag
        return delivery

    def _sender_here(self) -> Sender:
        ident = _get_ident()
        sender = self._senders.get(ident)
        if sender is None:
            with self._crossing:
                first_tag = len(self._senders) << 40
                if self._senders:
                    self._spans.begin_kind()
                sender = self._senders[ident] = Sender(ident, first_tag, self._spans.at(first_tag >> SPAN_BITS))
        return sender

    def _encode(self, key: Any, value: Any, headers: Headers) -> Tuple[Any, Any, Any]:
        make_key, make_value = self._serialize
        key = to_bytes(key if make_key is None or key is None else make_key(key))
        value = to_bytes(value if make_value is None or value is None else make_value(value))
        return key, value, None if not headers else write_headers(headers)[0]

    def _turn(self, sender: Sender, tag: int) -> Span:
        """Every SPAN records of a thread: what is queued crosses, and the next span begins."""
        sender.span = self._spans.at(tag >> SPAN_BITS)
        with self._crossing:
            self._send_pending()
        return sender.span

    def _arm(self) -> None:
        """The first record after a rest: whoever comes first sends it."""
        self._assert_usable()
        if not self._has_sent:
            self._has_sent = True
            self._spans.begin_kind()
        self._armed = True
        _ticker.arm(self)

    def _assert_usable(self) -> None:
        if self._pid != _process[0]:
            self._drop_pending()
            raise ForkedError("the producer belongs to the parent process: open another one after the fork",
                              _abi.ERR_FORKED, "SLUICE_ERR_FORKED")
        if self._closed:
            self._drop_pending()
            self._assert_open()

    def send_many(self, topic: str, values: Sequence[Data], keys: Optional[Sequence[Data]] = None,
                  headers: Optional[Sequence[Headers]] = None, partition: Optional[int] = None,
                  timestamps_ms: Optional[Sequence[int]] = None,
                  partitions: Optional[Sequence[Optional[int]]] = None) -> Deliveries:
        """Queues many records of one topic; much the fastest way. A column gives something to each record; where
        partitions has None, its key or the library chooses."""
        self._assert_usable()
        check_places(topic, partition, partitions)
        columns = self._columns(values, keys, headers, timestamps_ms, partitions)
        with self._crossing:
            self._send_pending()
            span = self._spans.bulk(len(columns[0]))
            for at in range(0, span.count, BULK_RECORDS):
                self._cross(topic, partition, span.first + at, *self._part(columns, at))
        return Deliveries(self, span)

    def _columns(self, values: Sequence[Any], keys: Optional[Sequence[Any]], headers: Optional[Sequence[Any]],
                 times: Optional[Sequence[int]], partitions: Optional[Sequence[Optional[int]]]) -> Columns:
        """Columns as _cross wants them."""
        make_key, make_value = self._serialize
        if make_value is not None:
            values = [None if value is None else make_value(value) for value in values]
        if make_key is not None and keys is not None:
            keys = [None if key is None else make_key(key) for key in keys]
        if headers is not None:
            headers = [None if not header else write_headers(header)[0] for header in headers]
        if partitions is not None:
            partitions = [-1 if partition is None else partition for partition in partitions]
        columns = [column if column is None or isinstance(column, (list, tuple)) else list(column)
                   for column in (values, keys, headers, times, partitions)]
        if any(column is not None and len(column) != len(columns[0] or ()) for column in columns):
            raise ValueError("columns differ in length")
        return columns[0], columns[1], columns[2], columns[3], columns[4]

    @staticmethod
    def _part(columns: Columns, at: int) -> List[Any]:
        """The next records of them, as many as cross at once."""
        return [None if column is None else column[at:at + BULK_RECORDS] for column in columns]

    def _cut_all(self) -> List[Run]:
        """_crossing is held: what is queued, in parts that are yet to cross."""
        for sender in list(self._senders.values()):
            self._parts += sender.cut()
        return self._parts

    def _drop_pending(self) -> None:
        with self._crossing:
            self._cut_all().clear()

    def _send_pending(self) -> None:
        """_crossing is held: what is queued crosses into C. After an exception the rest waits for the next time."""
        parts = self._cut_all()
        while parts:
            part = parts[0]
            try:
                self._cross(part.topic or "", None, part.tag, part.values, part.keys, part.headers, part.times,
                            part.partitions)
            except KafkaError:
                parts.pop(0)  # all of it is accepted, or told as failed
                raise
            except BaseException:  # a signal, while it waited for room
                part.drop(self._packer.accepted())
                raise
            parts.pop(0)

    def _cross(self, topic: str, partition: Optional[int], tag: int, values: Any, keys: Any, headers: Any,
               times: Any, partitions: Any, converted: bool = False) -> None:
        """_crossing is held: these records are accepted, or refused one by one; waits for room."""
        deadline = 0.0
        self._packer.begin()
        try:
            steps = self._packer.send(topic, partition, tag, values, keys, headers, times, partitions)
            for code, at in steps:
                if code in (_abi.ERR_FULL, _abi.ERR_UNREAD) and not self._waits:
                    raise NoRoom
                if code in (_abi.ERR_FULL, _abi.ERR_UNREAD) and time.monotonic() < (deadline or FOREVER):
                    deadline = deadline or time.monotonic() + self._block
                    self._read_reports()
                    self._sleep(min(deadline, time.monotonic() + 1))
                elif code in _FOR_ALL:
                    self._refuse(code, tag + at, tag + len(values) - 1, topic)
                    self._packer.skip_rest()
                    raise self._error(code)
                else:
                    self._refuse(code, tag + at, tag + at, topic)
        except TypeError:  # a value that is no bytes: text is encoded, the rest is a mistake
            if converted:
                raise
            self._cross(topic, partition, tag, [to_bytes(value) for value in values],
                        keys and [to_bytes(key) for key in keys], headers, times, partitions, True)

    def _refuse(self, code: int, first: int, last: int, topic: str) -> None:
        """Records that C did not accept have their outcome here."""
        error = self._error(code)
        report = Report(_abi.NOT_WRITTEN, code, -1, topic, -1, -1, str(error))
        if self._failed is None:
            self._failed, self._untold = error, report
        tags = list(range(first, last + 1))
        self._spans.apply(tags, len(tags), report)

    # ---- outcomes ----

    def _read_reports(self) -> int:
        """Takes the reports there are; the number of them."""
        if self._reports == "none":
            return 0
        lib, out, report, number = self._lib, ctypes.c_void_p(), _abi.Delivery(), 0
        if lib.deliveries_now(self._h, 0, ctypes.byref(out)) != 0 or not out.value:
            return 0
        held = Handle(out.value, lib.deliveries_free)
        size, place = ctypes.sizeof(report), ctypes.byref(report)
        while lib.deliveries_next(held.value, place, size) == 1:
            number += 1
            tags = ctypes.cast(report.tags, _Tags)
            self._on_report(tags, report.count, report)
        return number

    def _on_report(self, tags: Any, count: int, raw: Any) -> None:
        topic = text(raw.topic)
        report = Report(raw.outcome, raw.code, raw.partition, topic, raw.base_offset, raw.timestamp_ms,
                        text(raw.text))
        if raw.outcome != _abi.WRITTEN and self._failed is None:
            self._failed, self._untold = self._outcome_error(report), report
        self._spans.apply(tags, count, report)

    def _tell(self, report: Report) -> None:
        """The program hears of this one now, so close need not speak of it."""
        if self._untold is report:
            self._failed = self._untold = None

    def _outcome_error(self, report: Report) -> Exception:
        kind = OUTCOME_ERRORS.get(report.outcome, _abi.ERR_NOT_WRITTEN)
        why = report.text or text(self._lib.error_text(report.code))
        error = error_of(self._lib, kind, message=f"{report.topic} [{report.partition}]: {why}")
        error.code, error.name = report.code, text(self._lib.error_name(report.code))
        return error

    def _await_outcome(self, found: Callable[[], Any], timeout: Optional[float]) -> Any:
        """Sends what is queued without linger and waits until found() finds something."""
        if self._reports != "all":
            raise UsageError("outcomes are told with delivery_reports='all' only")
        deadline = self._deadline(timeout)
        if not self._closed:
            with self._crossing:
                self._send_pending()
            self._lib.producer_flush(self._h, 0, None)  # ends linger
        while (outcome := found()) is None:
            now = time.monotonic()
            if now >= deadline:
                raise error_of(self._lib, _abi.ERR_TIMEOUT, message="the outcome is not known yet")
            if self._closed:
                raise UsageError("the producer was closed, and its reports were read")
            # In slices, because another thread may read the report that this one waits for.
            self._sleep(min(deadline, now + SLICE))
        return outcome

    def flush(self, timeout: Optional[float] = None) -> None:
        """Sends all that is queued and waits for the outcomes. Raises when some record did not make it of which
        the program has not been told, or TimeoutError."""
        self._assert_usable()
        with self._crossing:
            self._send_pending()
        op = self._begin(self._lib.producer_flush, self._h, milliseconds(timeout))
        code = self._wait_op(op, timeout)
        self._read_reports()
        self._raise_failed(code)

    def _raise_failed(self, code: int) -> None:
        """After a flush: its own error, or that of a record. C counts records too that the program was told of."""
        failed, self._failed, self._untold = self._failed, None, None
        if failed is not None:
            raise failed
        if code not in (0, _abi.ERR_CLOSED) and (code not in OUTCOME_ERRORS.values() or self._reports != "all"):
            raise self._error(code)

    def discard(self) -> None:
        """Drops what was never sent; it is not written then."""
        with self._crossing:
            self._send_pending()
        self._check(self._lib.producer_discard(self._h))

    def counts(self) -> Counts:
        """How many records were accepted, and what became of them."""
        with self._crossing:
            if not self._closed:
                self._send_pending()
        raw = _abi.Counts()
        self._check(self._lib.producer_counts(self._h, ctypes.byref(raw), ctypes.sizeof(raw)))
        return Counts(raw.pending, raw.pending_bytes, raw.written, raw.not_written, raw.maybe_written)

    def partition_of(self, key: Data, partitions: int) -> int:
        """The partition that Java's default partitioner gives a key."""
        raw = to_bytes(key) or b""
        found: int = self._lib.producer_partition(raw, len(raw), partitions)
        return found

    def close(self, timeout: Optional[float] = 30.0) -> None:
        """Sends what is queued, waits for the outcomes until the timeout, and ends the producer. Raises when some
        record did not make it of which the program has not been told."""
        if self._closed or self._pid != _process[0]:
            return
        try:
            with self._crossing:
                self._send_pending()
        except KafkaError:
            pass  # is told below
        _producers.discard(self)
        code = self._wait_op(self._begin_close(timeout), timeout)
        while self._read_reports():
            pass
        self._raise_failed(code)

    def _tick(self) -> bool:
        """On the ticker's thread: sends what is queued. True while records are on their way."""
        self._armed = False
        if self._closed or self._pid != _process[0]:
            return False
        self._read_events()
        if not self._crossing.acquire(blocking=False):
            return True  # somebody is at it
        try:
            self._waits = False  # other producers are to be ticked too
            self._send_pending()
            self._read_reports()
        except NoRoom:
            self._read_reports()
            return True
        except KafkaError as error:
            logger.error("records were refused: %s", error)
        finally:
            self._waits = True
            self._crossing.release()
        raw = _abi.Counts()
        self._lib.producer_counts(self._h, ctypes.byref(raw), ctypes.sizeof(raw))
        return bool(raw.pending)


class _Ticker:
    """The thread that sends what nobody else did, and keeps producers alive whose records are on their way, though
    nobody else holds them any more. Sleeps for good while nothing is sent; ends with the process."""

    def __init__(self) -> None:
        self._wake = threading.Lock()
        self._wake.acquire()
        self._guard = threading.Lock()
        self._busy: "set[Producer]" = set()
        self._thread: Optional[threading.Thread] = None

    def arm(self, producer: "Producer") -> None:
        """A producer has records."""
        with self._guard:
            self._busy.add(producer)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sluice-ticker", daemon=True)
                self._thread.start()
            if self._wake.locked():
                self._wake.release()

    def _run(self) -> None:
        pause = -1.0  # without limit
        while True:
            if self._wake.acquire(timeout=pause):
                pause = TICK
                time.sleep(TICK)
            with self._guard:
                busy = list(self._busy)
            for producer in busy:
                on_its_way = producer._tick()
                with self._guard:
                    if not on_its_way and not producer._armed:
                        self._busy.discard(producer)
            pause = min(pause * 2, 0.2) if self._busy else -1.0
            busy.clear()
            producer = None  # type: ignore[assignment]  # nothing is held while asleep


_FOR_ALL = (_abi.ERR_FULL, _abi.ERR_UNREAD, _abi.ERR_CLOSED, _abi.ERR_FORKED, _abi.ERR_NOMEM)
_get_ident = threading.get_ident
_Tags = ctypes.POINTER(ctypes.c_uint64)
_producers: "weakref.WeakSet[Producer]" = weakref.WeakSet()
_ticker = _Ticker()


def _after_fork() -> None:
    """In the child: its producers are the parent's, and the thread did not come along."""
    global _ticker
    _process[0] = os.getpid()
    for producer in list(_producers):
        producer._armed = False
    _producers.clear()
    _ticker = _Ticker()


def _at_exit() -> None:
    """What was sent before the program ended, without a close, still goes out."""
    for producer in list(_producers):
        try:
            producer.close(10.0)
        except KafkaError as error:
            logger.error("at exit: %s", error)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
