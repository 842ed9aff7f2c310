"""Producer and consumer on asyncio: the event loop watches the client's one descriptor; no thread of Python's.

A consumer's descriptor is watched only while somebody waits for records, so records that nobody wants wake
nobody. What a producer is given in one turn of the loop crosses into C at its end, in one call.
"""
import asyncio
import ctypes
import itertools
import time
from typing import Any, AsyncIterator, Dict, List, Mapping, Optional, Sequence

from . import _abi
from ._client import FOREVER, Client, Handle, milliseconds, rows_of
from ._library import text
from ._outcomes import BULK, RecordMetadata, Report
from ._packing import Data, Headers, NoRoom, check_place, check_places
from .consumer import BLOCK_ROWS, Consumer, Place, Where
from .errors import KafkaError
from .producer import Deliveries, Producer
from .records import Batch, Record, TopicPartition


async def _end_of(client: Any, op: Handle) -> int:
    """The outcome of an operation. Asked for, because a descriptor cannot tell one reason from another."""
    pause = 0.0005
    while (code := client._lib.op_wait(op.value, 0)) in (_abi.ERR_PENDING, _abi.ERR_INTERRUPTED):
        await asyncio.sleep(pause)
        pause = min(pause * 2, 0.02)
    client._read_events()
    return int(code)


class _AsyncClient(Client):
    """What every client can, awaited."""

    async def _end(self, op: Handle) -> Handle:
        code = await _end_of(self, op)
        if code != 0:
            raise self._error(code, text(self._lib.op_message(op.value)))
        return op

    async def ready(self, timeout: Optional[float] = 60.0) -> None:  # type: ignore[override]
        """As Client.ready."""
        self._assert_open()
        await self._end(self._begin(self._lib.client_ready, self._h, milliseconds(timeout)))

    async def partitions_for(self, topic: str, timeout: Optional[float] = 60.0) -> "set[int]":  # type: ignore[override]
        """As Client.partitions_for."""
        self._assert_open()
        count, deadline = ctypes.c_int32(), self._deadline(timeout)
        while (code := self._lib.client_partitions(self._h, topic.encode(), 0, ctypes.byref(count))) != 0:
            if code != _abi.ERR_PENDING or time.monotonic() >= deadline:
                raise self._error(code if code != _abi.ERR_PENDING else _abi.ERR_TIMEOUT)
            await asyncio.sleep(0.005)
        return set(range(count.value))

    async def create_topic(self, topic: str, partitions: int = -1, replicas: int = -1,  # type: ignore[override]
                           settings: Optional[Mapping[str, Any]] = None, timeout: Optional[float] = 60.0) -> None:
        """As Client.create_topic."""
        arguments = self._topic_arguments(topic, partitions, replicas, settings)
        await self._end(self._begin(self._lib.admin_create_topic, *arguments, milliseconds(timeout)))

    async def delete_topic(self, topic: str, timeout: Optional[float] = 60.0) -> None:  # type: ignore[override]
        """As Client.delete_topic."""
        self._assert_open()
        await self._end(self._begin(self._lib.admin_delete_topic, self._h, topic.encode(), milliseconds(timeout)))

    async def metrics(self, timeout: Optional[float] = 10.0) -> List[Dict[str, Any]]:  # type: ignore[override]
        """As Client.metrics."""
        self._assert_open()
        op = await self._end(self._begin(self._lib.metrics_snapshot, self._h, milliseconds(timeout)))
        return rows_of(self._lib, self._lib.op_table(op.value, None))


class AsyncConsumer(_AsyncClient, Consumer):
    """Consumer, for `async with` and `async for`. What waits is awaited; the rest is as there."""

    async def _readable(self, deadline: float) -> bool:
        """False at the deadline. Cancelled, nothing is lost."""
        loop = asyncio.get_running_loop()
        woken: "asyncio.Future[None]" = loop.create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)
        loop.add_reader(self._fd, wake)
        timer = None if deadline == FOREVER else loop.call_later(max(0.0, deadline - time.monotonic()), wake)
        try:
            await woken
        finally:
            loop.remove_reader(self._fd)
            if timer is not None:
                timer.cancel()
        self._read_events()
        return time.monotonic() < deadline

    async def poll(self, timeout: Optional[float] = None,  # type: ignore[override]
                   max_records: int = BLOCK_ROWS) -> Optional[Batch]:
        """As Consumer.poll."""
        deadline = self._deadline(timeout)
        if self._awaited:
            await self._find_partitions()
        while True:
            batch = self._try(max_records)
            if batch is not None:
                self._progress, self._by_record = len(batch), False
                return batch
            if not await self._readable(deadline):
                return None

    async def _find_partitions(self) -> None:
        """Without a group: _assign_all finds them known."""
        for topic in self._awaited:
            await self.partitions_for(topic)

    def _assign_all(self) -> None:
        topics, self._awaited, count, places = self._awaited, [], ctypes.c_int32(), []
        for topic in topics:
            self._check(self._lib.client_partitions(self._h, topic.encode(), 0, ctypes.byref(count)))
            places += [(topic, partition) for partition in range(count.value)]
        self.assign(places)

    async def batches(self, max_records: int = BLOCK_ROWS) -> AsyncIterator[Batch]:  # type: ignore[override]
        """As Consumer.batches."""
        while (batch := await self.poll(self._idle, max_records)) is not None:
            yield batch

    def __iter__(self) -> Any:
        raise TypeError("an AsyncConsumer is read with `async for`")

    async def __aiter__(self) -> AsyncIterator[Record]:
        while (batch := await self.poll(self._idle)) is not None:
            self._progress, self._by_record = 0, True
            for record in batch:
                self._progress += 1
                yield record
                if self._current is not batch:
                    break  # it went back meanwhile

    async def commit(self, offsets: Optional[Mapping[Place, int]] = None,  # type: ignore[override]
                     timeout: Optional[float] = 60.0) -> None:
        """As Consumer.commit."""
        op = self._begin_commit(offsets, timeout)
        self._end_commit(op, offsets, await _end_of(self, op) if op is not None else 0)

    async def resolve(self, wheres: Mapping[Place, Where],  # type: ignore[override]
                      timeout: Optional[float] = 60.0) -> Dict[TopicPartition, int]:
        """As Consumer.resolve; so are committed, beginning_offsets and end_offsets, awaited."""
        asked = self._offsets([(*p, w) for p, w in wheres.items()])
        op = self._begin(self._lib.offsets_resolve, self._h, asked.value, milliseconds(timeout))
        return self._end_resolve(op, await _end_of(self, op))

    async def close(self, timeout: Optional[float] = 30.0) -> None:  # type: ignore[override]
        """As Consumer.close."""
        if not self._closed:
            self._return_rest()
            self._check_close(await _end_of(self, self._begin_close(timeout)))

    async def __aenter__(self) -> "AsyncConsumer":
        return self

    async def __aexit__(self, kind: Any, value: Any, trace: Any) -> None:
        if kind is not None:
            self._forget_current()
        await self.close()


class AsyncProducer(_AsyncClient, Producer):
    """Producer for asyncio: send() gives a future of where the record was written.

        async with AsyncProducer("localhost:9092") as producer:
            await producer.send("orders", b"order 1")
    """

    _starts_ticks = False

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._futures: Dict[int, "asyncio.Future[RecordMetadata]"] = {}
        self._home: Optional[asyncio.AbstractEventLoop] = None
        self._scheduled = False
        self._is_full = False  # what is queued waits for room
        self._waits = False

    def _start(self) -> asyncio.AbstractEventLoop:
        """The loop of the first call is the one that watches."""
        self._assert_usable()
        self._home = asyncio.get_running_loop()
        self._home.add_reader(self._fd, self._on_readable)
        self._spans.begin_kind()
        return self._home

    def send(self, topic: str, value: Any = None, key: Any = None, headers: Headers = None,  # type: ignore[override]
             partition: Optional[int] = None, timestamp_ms: Optional[int] = None) -> "asyncio.Future[RecordMetadata]":
        """Queues one record. Awaited, the result is where it was written, or NotWritten or MaybeWritten."""
        raw = self._raw
        if value.__class__ is not raw or (key is not None and key.__class__ is not raw) or headers is not None:
            key, value, headers = self._encode(key, value, headers)
        loop = self._home or self._start()
        sender = self._sender  # the loop is one thread
        run, tag = sender.run, sender.tag
        if not run.fits(topic, key, headers, partition, timestamp_ms):
            check_place(topic, partition, timestamp_ms)
            run = sender.begin(topic, key, headers, partition, timestamp_ms)
        run.add(value, key, headers, partition, timestamp_ms)
        sender.tag = tag + 1
        future = self._futures[tag] = loop.create_future()
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._turn_end)
        return future

    async def send_and_wait(self, topic: str, value: Any = None, **more: Any) -> RecordMetadata:
        """send, awaited: the name that aiokafka has for it."""
        return await self.send(topic, value, **more)

    def _turn_end(self) -> None:
        self._scheduled = False
        if self._closed:
            self._fail_all()
            return
        self._is_full = False
        try:
            self._send_pending()
        except NoRoom:
            self._is_full = True  # the descriptor turns readable when there is room
        except KafkaError as error:
            for run in self._cut_all():
                for tag in range(run.tag, run.tag + len(run.values)):
                    self._resolve_error(tag, error)
            self._parts.clear()
        self._lib.producer_flush(self._h, 0, None)  # who awaits does not linger

    def _on_readable(self) -> None:
        self._read_events()
        self._read_reports()
        if self._is_full:
            self._turn_end()

    def _on_report(self, tags: Any, count: int, raw: Any) -> None:
        report = Report(raw.outcome, raw.code, raw.partition, text(raw.topic), raw.base_offset, raw.timestamp_ms,
                        text(raw.text))
        if tags[0] >= BULK:
            self._spans.apply(tags, count, report)
            return
        pop = self._futures.pop
        if raw.outcome != _abi.WRITTEN:
            self._failed = self._failed or self._outcome_error(report)
            for tag in tags[:count]:
                self._resolve_error(tag, self._outcome_error(report))
            return
        topic, partition, time_ms = report.topic, raw.partition, raw.timestamp_ms
        offsets = itertools.count(raw.base_offset) if raw.base_offset >= 0 else itertools.repeat(-1)
        new = tuple.__new__
        for tag, offset in zip(tags[:count], offsets):
            future = pop(tag, None)
            if future is not None and not future.done():
                future.set_result(new(RecordMetadata, (topic, partition, offset, time_ms)))

    def _resolve_error(self, tag: int, error: Exception) -> None:
        future = self._futures.pop(tag, None)
        if future is not None and not future.done():
            future.set_exception(error)

    def _refuse(self, code: int, first: int, last: int, topic: str) -> None:
        if first >= BULK:
            super()._refuse(code, first, last, topic)
            return
        error = self._error(code)
        self._failed = self._failed or error
        for tag in range(first, last + 1):
            self._resolve_error(tag, error)

    def _fail_all(self) -> None:
        for tag in list(self._futures):
            self._resolve_error(tag, self._error(_abi.ERR_CLOSED))

    async def send_many(self, topic: str, values: Sequence[Data],  # type: ignore[override]
                        keys: Optional[Sequence[Data]] = None, headers: Optional[Sequence[Headers]] = None,
                        partition: Optional[int] = None, timestamps_ms: Optional[Sequence[int]] = None,
                        partitions: Optional[Sequence[Optional[int]]] = None) -> List[RecordMetadata]:
        """Queues many records and waits for all outcomes: where each was written, or the first error."""
        if self._home is None:
            self._start()
        self._assert_usable()
        check_places(topic, partition, partitions)
        columns = self._columns(values, keys, headers, timestamps_ms, partitions)
        span, at = self._spans.bulk(len(columns[0])), 0
        while at < span.count:
            await self._send_all()  # what was queued before goes first
            part = self._part(columns, at)
            try:
                self._cross(topic, partition, span.first + at, *part)
                at += len(part[0])
            except NoRoom:
                at += self._packer.accepted()
                await self._await_room()
        done = Deliveries(self, span)
        self._lib.producer_flush(self._h, 0, None)
        pause = 0.0005
        while not done.done():
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.02)
        return done.result(0)

    async def _send_all(self) -> None:
        """All that is queued crosses, as there is room."""
        while True:
            try:
                self._send_pending()
                return
            except NoRoom:
                await self._await_room()

    async def _await_room(self) -> None:
        """Reports make room; asked for, because several may wait."""
        await asyncio.sleep(0.002)
        self._read_reports()

    async def flush(self, timeout: Optional[float] = None) -> None:  # type: ignore[override]
        """As Producer.flush."""
        self._assert_usable()
        await self._send_all()
        code = await _end_of(self, self._begin(self._lib.producer_flush, self._h, milliseconds(timeout)))
        self._read_reports()
        self._raise_failed(code)

    async def close(self, timeout: Optional[float] = 30.0) -> None:  # type: ignore[override]
        """As Producer.close."""
        if self._closed:
            return
        try:
            await asyncio.wait_for(self._send_all(), timeout)
        except (KafkaError, asyncio.TimeoutError):
            pass  # the futures have it
        code = await _end_of(self, self._begin_close(timeout))
        while self._read_reports():
            pass
        if self._home is not None and not self._home.is_closed():
            self._home.remove_reader(self._fd)
        self._fail_all()
        self._check_close(code)

    async def __aenter__(self) -> "AsyncProducer":
        return self

    async def __aexit__(self, kind: Any, value: Any, trace: Any) -> None:
        await self.close()
