"""Consumer: reads records, one by one or a batch at a time.

What a poll of C returns is a batch in hand: it is copied out in blocks (records.Batch), and given back when all
of it was handed out and the program asks for more. Whatever was handed out before that counts as processed;
commit() counts what was handed out so far, and so does close(). Leaving a with block by an exception leaves
the record (or batch) in hand out, so it comes again; so does a consumer that nobody closes, which leaves its group
when it is collected or the process ends.
"""
import atexit
import ctypes
import datetime
import os
import time
import weakref
from array import array
from collections import Counter
from typing import (Any, Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence,
                    Tuple, Union)

from . import _abi
from ._client import Client, Handle, TokenSource, milliseconds, settings_of
from ._library import text
from .errors import KafkaError, UsageError
from .records import ROW_SIZE, Batch, Record, TopicPartition

BLOCK_BYTES = 256 * 1024
BLOCK_ROWS = 2048
ABANDON_TIMEOUT = 1.0
Place = Tuple[str, int]
Where = Union[int, str, datetime.datetime]
Listener = Callable[[List[TopicPartition]], Any]
_SYMBOLS = {"earliest": _abi.OFFSET_EARLIEST, "latest": _abi.OFFSET_LATEST, "committed": _abi.OFFSET_COMMITTED}
_HARMLESS = (0, _abi.ERR_STALE, _abi.ERR_MALFORMED, _abi.ERR_TOO_BIG)


class Position(NamedTuple):
    """Where a consumer is in a partition. -1: unknown."""

    topic: str
    partition: int
    offset: int
    committed: int
    end: int
    paused: bool

    @property
    def lag(self) -> Optional[int]:
        """Records between the position and the end; None while either is unknown."""
        return self.end - self.offset if self.end >= 0 and self.offset >= 0 else None


class _Held:
    """A batch of C in hand."""

    __slots__ = ("handle", "places", "done")

    def __init__(self, handle: Handle, places: List[TopicPartition]) -> None:
        self.handle = handle
        self.places = places
        self.done: "Counter[int]" = Counter()  # records handed out and processed, of each part

    def take(self) -> Optional[int]:
        """The C batch, which whoever takes it gives back."""
        value, self.handle.value = self.handle.value, None
        return value


class Consumer(Client):
    """Reads records.

        for record in Consumer("orders", bootstrap_servers="localhost:9092", group_id="billing"):
            print(record.offset, record.value)

    topics  to subscribe to; one dict instead has the settings by their dotted names.
    key_deserializer, value_deserializer  make something else of the bytes.
    consumer_timeout_ms  ends a loop over the consumer when nothing has come for so long.
    on_assign, on_revoke, on_lost  are told of partitions (a list of TopicPartition) that come, that are to be
        given away, that are gone; on the thread that reads. on_assign may return {partition: offset}.
    oauth_token  returns (token, seconds for which it is good), for SASL with OAUTHBEARER.
    settings  of CONFIGURATION.md with underscores: auto_offset_reset="earliest".
    Without group_id all partitions of the topics are read, as they are when reading begins.
    """

    _role = _abi.CONSUMER

    def __init__(self, *topics: Union[str, Mapping[str, Any]],
                 key_deserializer: Optional[Callable[[bytes], Any]] = None,
                 value_deserializer: Optional[Callable[[bytes], Any]] = None,
                 consumer_timeout_ms: Optional[float] = None, on_assign: Optional[Listener] = None,
                 on_revoke: Optional[Listener] = None, on_lost: Optional[Listener] = None,
                 oauth_token: Optional[TokenSource] = None, **settings: Any) -> None:
        dotted = topics[0] if topics and isinstance(topics[0], Mapping) else None
        found = settings_of(dotted, settings)
        self._listeners = {_abi.REBALANCE_ASSIGNED: on_assign, _abi.REBALANCE_REVOKING: on_revoke,
                           _abi.REBALANCE_LOST: on_lost}
        if any(self._listeners.values()):
            found["rebalance.notices"] = "true"
        self._group = bool(found.get("group.id"))
        super().__init__(found, oauth_token)
        self._idle = None if consumer_timeout_ms is None else consumer_timeout_ms / 1000
        self._makers = (key_deserializer, value_deserializer)
        self._data = ctypes.create_string_buffer(BLOCK_BYTES)
        self._rows = ctypes.create_string_buffer(BLOCK_ROWS * ROW_SIZE)
        self._used = ctypes.c_size_t()
        self._held: Optional[_Held] = None
        self._current: Optional[Batch] = None
        self._progress = 0  # records of the current batch that were handed out
        self._by_record = False  # one after the other; else all at once
        self._loop: Optional[Iterator[Record]] = None
        self._pid = os.getpid()
        self._awaited: List[str] = []  # topics without a group, whose partitions are to be looked up
        _consumers.add(self)
        if dotted is None and topics:
            self.subscribe(topics)  # type: ignore[arg-type]

    # ---- what to read ----

    def subscribe(self, topics: Union[str, Iterable[str]], on_assign: Optional[Listener] = None,
                  on_revoke: Optional[Listener] = None, on_lost: Optional[Listener] = None) -> None:
        """Reads these topics, shared with the group; "^…" is a regular expression. Replaces those of before."""
        self._assert_open()
        self._return_rest()
        names = [topics] if isinstance(topics, str) else list(topics)
        if on_assign or on_revoke or on_lost:
            raise UsageError("listeners are given to the constructor, which turns notices on")
        if not self._group and names:
            self._awaited = names
            return
        array = (ctypes.c_char_p * max(len(names), 1))(*(name.encode() for name in names))
        self._check(self._lib.consumer_subscribe(self._h, array, len(names)))

    def unsubscribe(self) -> None:
        """Leaves the group; nothing is read any more."""
        self._awaited = []
        if self._group:
            self.subscribe([])
        else:
            self.assign([])

    def assign(self, partitions: Iterable[Union[Place, Tuple[str, int, Where]]]) -> None:
        """Reads these partitions, without a group's help: (topic, partition) goes on where the group has
        committed or by auto.offset.reset, (topic, partition, where) there, see seek."""
        self._assert_open()
        self._return_rest()
        offsets = self._offsets([(*p, "committed") if len(p) == 2 else p for p in partitions])
        self._check(self._lib.consumer_assign(self._h, offsets.value))

    def _offsets(self, entries: Iterable[Sequence[Any]]) -> Handle:
        """(topic, partition, where) as a list of C."""
        lib = self._lib
        handle = Handle(lib.offsets_create(), lib.offsets_free)
        for topic, partition, where in entries:
            entry = _abi.Offset(topic=topic.encode(), partition=partition)
            if isinstance(where, datetime.datetime):
                entry.offset = _abi.OFFSET_AT_TIME
                entry.timestamp_ms = int(where.timestamp() * 1000)
            else:
                entry.offset = _SYMBOLS[where] if isinstance(where, str) else where
            self._check(lib.offsets_put(handle.value, ctypes.byref(entry), ctypes.sizeof(entry)))
        return handle

    def _entries(self, offsets: Any) -> List[Any]:
        found: List[Any] = []
        entry, lib = _abi.Offset(), self._lib
        while lib.offsets_at(offsets, len(found), ctypes.byref(entry), ctypes.sizeof(entry)) == 1:
            found.append(type(entry).from_buffer_copy(entry))
        return found

    # ---- reading ----

    def poll(self, timeout: Optional[float] = None, max_records: int = BLOCK_ROWS) -> Optional[Batch]:
        """The next records, as soon as there are any; None by the timeout (seconds). What the last call
        returned counts as processed."""
        deadline = self._deadline(timeout)
        while True:
            batch = self._try(max_records)
            if batch is not None:
                self._progress, self._by_record = len(batch), False
                return batch
            if not self._sleep(deadline) and time.monotonic() >= deadline:
                return None

    def batches(self, max_records: int = BLOCK_ROWS) -> Iterator[Batch]:
        """Batches for ever, or until none has come for consumer_timeout_ms."""
        while (batch := self.poll(self._idle, max_records)) is not None:
            yield batch

    def __iter__(self) -> Iterator[Record]:
        if self._loop is None:  # a loop that was left goes on where it was
            self._loop = self._records()
        return self._loop

    def __next__(self) -> Record:
        return next(iter(self))

    def _records(self) -> Iterator[Record]:
        try:
            while (batch := self.poll(self._idle)) is not None:
                self._progress, self._by_record = 0, True
                for record in batch:
                    self._progress += 1
                    yield record
                    if self._current is not batch:
                        break  # it went back meanwhile
        finally:
            self._loop = None

    def _try(self, max_records: int) -> Optional[Batch]:
        """The rest of the batch in hand, or the next one, if there is anything."""
        if self._current is not None and self._progress < self._current.count:
            self._return_rest()  # a loop was left in the middle of it
        self._settle()
        if self._awaited:
            self._assign_all()
        if self._held is not None:
            batch = self._pack(max_records)
            if batch is not None:
                return batch
        return self._pack(max_records) if self._fetch() else None

    def _assign_all(self) -> None:
        """Without a group: every partition of the topics."""
        topics, self._awaited = self._awaited, []
        try:
            self.assign([(topic, p) for topic in topics for p in sorted(self.partitions_for(topic))])
        except BaseException:
            self._awaited = topics
            raise

    def _settle(self) -> None:
        """What was handed out is processed."""
        batch, held = self._current, self._held
        self._current = None
        if batch is None or held is None:
            return
        number = batch.only_slice()
        if number is not None:
            held.done[number] += self._progress
        else:
            held.done.update(batch.slices()[:self._progress])

    def _pack(self, max_records: int) -> Optional[Batch]:
        """The next records of the batch in hand; None, and the batch given back, when there are no more."""
        held, lib, used = self._held, self._lib, self._used
        assert held is not None
        rows = min(max_records, BLOCK_ROWS)
        while True:
            count = lib.batch_pack(held.handle.value, self._data, len(self._data), self._rows, rows,
                                   ctypes.byref(used))
            if count != _abi.ERR_TOO_BIG:
                break
            self._data = ctypes.create_string_buffer(used.value)
        if count > 0:
            block = ctypes.string_at(self._data, used.value)
            numbers = array("i")
            numbers.frombytes(memoryview(self._rows)[:count * ROW_SIZE])
            self._current = Batch(block, numbers, count, held.places, self._makers)
            if len(self._data) > 4 * BLOCK_BYTES and used.value < BLOCK_BYTES:
                self._data = ctypes.create_string_buffer(BLOCK_BYTES)
            return self._current
        self._held = None
        code = lib.batch_finish(held.take())
        if code not in _HARMLESS:
            raise self._error(code)
        return None

    def _fetch(self) -> bool:
        """Takes what has arrived in hand; False when there is nothing."""
        out, lib = ctypes.c_void_p(), self._lib
        code = lib.consumer_poll(self._h, 0, ctypes.byref(out))
        if code == _abi.NOTICE_REBALANCE:
            self._rebalance()
            return self._fetch()
        if code not in (0, _abi.ERR_INTERRUPTED):
            raise self._error(code)
        if not out.value:
            return False
        handle, part = Handle(out.value, lib.batch_free), _abi.Slice()
        places: List[TopicPartition] = []
        while lib.batch_slice(handle.value, len(places), ctypes.byref(part), ctypes.sizeof(part)) == 1:
            places.append(TopicPartition(text(part.topic), part.partition))
        self._held = _Held(handle, places)
        return True

    def _rebalance(self) -> None:
        """Partitions came or went: the listener is told, and the group goes on."""
        out, info, lib = ctypes.c_void_p(), _abi.RebalanceInfo(), self._lib
        if lib.consumer_rebalance(self._h, ctypes.byref(out)) != 0 or not out.value:
            return
        try:
            lib.rebalance_read(out.value, ctypes.byref(info), ctypes.sizeof(info))
            places = [TopicPartition(text(entry.topic), entry.partition)
                      for entry in self._entries(lib.rebalance_offsets(out.value))]
            listener = self._listeners.get(info.kind)
            start = listener(places) if listener is not None else None
        except BaseException:
            lib.rebalance_done(out.value, None)
            raise
        chosen = None
        if info.kind == _abi.REBALANCE_ASSIGNED and isinstance(start, Mapping):
            chosen = self._offsets([(*place, where) for place, where in start.items()])
        lib.rebalance_done(out.value, None if chosen is None else chosen.value)

    # ---- offsets ----

    def _mark(self) -> None:
        """Tells C what was handed out of the batch in hand."""
        held, batch = self._held, self._current
        if held is None:
            return
        done = held.done + Counter() if batch is None else held.done + Counter(batch.slices()[:self._progress])
        for number, count in done.items():
            self._lib.batch_mark(held.handle.value, number, count)

    def commit(self, offsets: Optional[Mapping[Place, int]] = None, timeout: Optional[float] = 60.0) -> None:
        """Commits what was handed out, or of each partition the next offset to read. Waits for the answer."""
        op = self._begin_commit(offsets, timeout)
        self._end_commit(op, offsets, self._wait_op(op, timeout) if op is not None else 0)

    def _begin_commit(self, offsets: Optional[Mapping[Place, int]], timeout: Optional[float]) -> Optional[Handle]:
        self._assert_open()
        if offsets is None:
            self._mark()
            chosen = None
        else:
            chosen = self._offsets([(*place, offset) for place, offset in offsets.items()])
        return self._begin(self._lib.consumer_commit, self._h, chosen and chosen.value, milliseconds(timeout))

    def _end_commit(self, op: Optional[Handle], offsets: Any, code: int) -> None:
        if code == 0 or (code == _abi.ERR_NO_OFFSET and offsets is None):  # nothing was read yet
            return
        raise self._error(code, text(self._lib.op_message(op.value)) if op is not None else "")

    def seek(self, partition: Place, where: Where) -> None:
        """The next record read of this partition is the one at an offset, "earliest", "latest", "committed", or
        the first that is not older than a datetime."""
        self.seek_all({partition: where})

    def seek_all(self, wheres: Mapping[Place, Where]) -> None:
        """seek, of several partitions at once."""
        self._assert_open()
        self._return_rest(wheres)
        offsets = self._offsets([(*p, w) for p, w in wheres.items()])
        self._check(self._lib.consumer_seek(self._h, offsets.value))

    def _return_rest(self, places: Optional[Iterable[Place]] = None) -> None:
        """A batch in hand (with records of these partitions) goes back: what was handed out of it is processed,
        the rest comes again."""
        held = self._held
        if held is None or (places is not None and not set(held.places) & set(map(tuple, places))):
            return
        self._settle()
        for number, count in held.done.items():
            self._lib.batch_mark(held.handle.value, number, count)
        self._held = None
        self._lib.batch_retry(held.take())

    def seek_to_beginning(self, *partitions: Place) -> None:
        """Of these partitions, or of all that are assigned."""
        self.seek_all({place: "earliest" for place in partitions or self.assignment()})

    def seek_to_end(self, *partitions: Place) -> None:
        """Of these partitions, or of all that are assigned."""
        self.seek_all({place: "latest" for place in partitions or self.assignment()})

    def pause(self, *partitions: Place) -> None:
        """Hands out nothing of these partitions (or of all), and keeps what is buffered."""
        self._return_rest(partitions or None)
        some = self._some(partitions)
        self._check(self._lib.consumer_pause(self._h, some.value))

    def resume(self, *partitions: Place) -> None:
        """Undoes pause."""
        some = self._some(partitions)
        self._check(self._lib.consumer_resume(self._h, some.value))

    def _some(self, partitions: Sequence[Place]) -> Handle:
        return self._offsets([(*p, 0) for p in partitions]) if partitions else Handle(None, None)

    def positions(self) -> List[Position]:
        """Every assigned partition: where this consumer is, what is committed, where it ends, as known here."""
        out = ctypes.c_void_p()
        self._check(self._lib.consumer_positions(self._h, ctypes.byref(out)))
        handle = Handle(out.value, self._lib.offsets_free)
        return [Position(text(e.topic), e.partition, e.offset, e.committed, e.end, bool(e.paused))
                for e in self._entries(handle.value)]

    def assignment(self) -> "set[TopicPartition]":
        """The partitions that are read."""
        return {TopicPartition(p.topic, p.partition) for p in self.positions()}

    def position(self, partition: Place) -> Optional[int]:
        """The next offset to be read; None when the partition is not assigned, or it is not known yet."""
        for p in self.positions():
            if (p.topic, p.partition) == tuple(partition):
                return p.offset if p.offset >= 0 else None
        return None

    def lag(self) -> Dict[TopicPartition, Optional[int]]:
        """How far each assigned partition is behind its end."""
        return {TopicPartition(p.topic, p.partition): p.lag for p in self.positions()}

    def paused(self) -> "set[TopicPartition]":
        """The partitions that are paused."""
        return {TopicPartition(p.topic, p.partition) for p in self.positions() if p.paused}

    def resolve(self, wheres: Mapping[Place, Where], timeout: Optional[float] = 60.0) -> Dict[TopicPartition, int]:
        """The offsets behind symbols and times, as the brokers have them; "committed" asks the group."""
        self._assert_open()
        asked = self._offsets([(*p, w) for p, w in wheres.items()])
        op = self._begin(self._lib.offsets_resolve, self._h, asked.value, milliseconds(timeout))
        return self._end_resolve(op, self._wait_op(op, timeout))

    def _end_resolve(self, op: Handle, code: int) -> Dict[TopicPartition, int]:
        if code not in (0, _abi.ERR_PARTIAL):
            raise self._error(code, text(self._lib.op_message(op.value)))
        entries = self._entries(self._lib.op_offsets(op.value))
        for entry in entries:
            if entry.code not in (0, _abi.ERR_NO_OFFSET):
                raise self._error(entry.code)
        return {TopicPartition(text(e.topic), e.partition): e.offset for e in entries if e.code == 0}

    def committed(self, *partitions: Place, timeout: Optional[float] = 60.0) -> Dict[TopicPartition, int]:
        """What the group has committed, of those that have something."""
        return self.resolve({p: "committed" for p in partitions or self.assignment()}, timeout)

    def beginning_offsets(self, *partitions: Place, timeout: Optional[float] = 60.0) -> Dict[TopicPartition, int]:
        """The first offset there is."""
        return self.resolve({p: "earliest" for p in partitions}, timeout)

    def end_offsets(self, *partitions: Place, timeout: Optional[float] = 60.0) -> Dict[TopicPartition, int]:
        """The offset that the next record will have."""
        return self.resolve({p: "latest" for p in partitions}, timeout)

    # ---- the end ----

    def close(self, timeout: Optional[float] = 30.0) -> None:
        """Commits what was handed out (with enable.auto.commit), leaves the group and ends the consumer."""
        if not self._closed:
            self._return_rest()
        super().close(timeout)

    def _forget_current(self) -> None:
        """What is in hand was not processed: a record of a loop, or a whole batch."""
        if self._current is not None:
            self._progress = max(0, self._progress - 1) if self._by_record else 0

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        if kind is not None:
            self._forget_current()
        self.close()

    def _abandon(self) -> None:
        """Nobody has closed it: others in the group should not wait for its session to time out."""
        if self._closed or not self._group or self._pid != os.getpid():
            return
        self._forget_current()
        try:
            Consumer.close(self, ABANDON_TIMEOUT)
        except KafkaError:
            pass  # its offsets may not be committed; then the records come again

    def __del__(self) -> None:
        if hasattr(self, "_pid"):  # else it was never opened
            self._abandon()
        super().__del__()


def _at_exit() -> None:
    for consumer in list(_consumers):
        consumer._abandon()


_consumers: "weakref.WeakSet[Consumer]" = weakref.WeakSet()
atexit.register(_at_exit)
