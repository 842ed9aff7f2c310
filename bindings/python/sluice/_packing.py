"""What crosses: values made bytes, headers in wire form, runs of records of one shape, and the call that takes a run.

A Sender has what one thread has sent: it alone appends to its runs, and whoever holds the producer's crossing lock cuts
them from their front, a column in one step of the interpreter.
"""
import ctypes
import itertools
import operator
from array import array
from typing import Any, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from . import _abi
from ._library import Library, address
from ._outcomes import Span

Data = Union[bytes, bytearray, memoryview, str, None]
Headers = Union[Mapping[str, Data], Iterable[Tuple[str, Data]], None]
Columns = Tuple[Any, Any, Any, Any, Any]  # values, keys, headers in wire form, times, partitions


def to_bytes(value: Any) -> Optional[bytes]:
    """bytes as they are, text as UTF-8, None as None; anything else needs a serializer."""
    if value is None or value.__class__ is bytes:
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"keys and values are bytes or str, not {type(value).__name__}; value_serializer= may make them so")


def check_place(topic: Any, partition: Any, time_ms: Any) -> None:
    """What C could not take is refused before anything is queued."""
    if not isinstance(topic, str):
        raise TypeError(f"a topic is a str, not {type(topic).__name__}")
    for number, least, most in ((partition, 0, 2**31 - 1), (time_ms, -2**63, 2**63 - 1)):
        if number is not None and not least <= operator.index(number) <= most:
            raise ValueError(f"{number} is no partition" if most < 2**31 else f"{number} is no time in milliseconds")


def check_places(topic: Any, partition: Any, partitions: Any) -> None:
    """check_place, for a column."""
    check_place(topic, partition, None)
    if partitions is None:
        return
    if partition is not None:
        raise ValueError("either one partition for all records, or a column of partitions")
    for one in set(partitions):
        check_place(topic, one, None)


def _zigzag(number: int) -> bytes:
    """A signed number as the record format has it."""
    left, out = (number << 1) ^ (number >> 63), bytearray()
    while left > 127:
        out.append(left & 127 | 128)
        left >>= 7
    out.append(left)
    return bytes(out)


_SIZES = [_zigzag(size) for size in range(256)]
_NULL = _zigzag(-1)


def _size_of(data: bytes) -> bytes:
    size = len(data)
    return _SIZES[size] if size < 256 else _zigzag(size)


def write_headers(headers: Headers) -> Tuple[bytes, int]:
    """Wire form and number of headers: a dict, or (name, value) pairs in their order."""
    if isinstance(headers, (bytes, memoryview, str)):
        raise TypeError("headers are a dict or (name, value) pairs")
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers or ())
    parts: List[bytes] = []
    for name, value in pairs:
        raw_name, raw = to_bytes(name), to_bytes(value)
        if not raw_name:
            raise ValueError("a header without a name")
        parts += (_size_of(raw_name), raw_name, _NULL if raw is None else _size_of(raw), raw or b"")
    return b"".join(parts), len(pairs)


class Run:
    """Records of one topic and one shape, whose tags follow each other."""

    __slots__ = ("topic", "plain", "tag", "values", "keys", "headers", "times", "partitions")

    def __init__(self, topic: Optional[str], tag: int, key: Any, headers: Any, partition: Optional[int],
                 time_ms: Optional[int]) -> None:
        self.topic = topic
        self.tag = tag  # of the first
        self.values: List[Optional[bytes]] = []
        self.keys: Optional[List[Optional[bytes]]] = None if key is None else []
        self.headers: Optional[List[Optional[bytes]]] = None if headers is None else []
        self.times: Optional[List[int]] = None if time_ms is None else []
        self.partitions: Optional[List[int]] = None if partition is None else []  # -1: any
        is_plain = headers is None and partition is None and time_ms is None
        self.plain = topic if is_plain else None  # the topic of a run of values, and perhaps keys, alone

    def fits(self, topic: str, key: Any, headers: Any, partition: Optional[int], time_ms: Optional[int]) -> bool:
        """A record of this kind can be added."""
        return (self.topic == topic and (self.times is None) == (time_ms is None)
                and (self.partitions is not None or partition is None)
                and (self.keys is not None or key is None) and (self.headers is not None or headers is None))

    def add(self, value: Any, key: Any, headers: Any, partition: Any, time_ms: Any) -> None:
        """One that fits; its value last, because the values are what is counted."""
        if self.keys is not None:
            self.keys.append(key)
        if self.headers is not None:
            self.headers.append(headers)
        if self.times is not None:
            self.times.append(time_ms)
        if self.partitions is not None:
            self.partitions.append(-1 if partition is None else partition)
        self.values.append(value)

    def cut(self) -> "Optional[Run]":
        """What has been added so far, as a run of its own; None for nothing."""
        count = len(self.values)
        if count == 0:
            return None
        part = Run.__new__(Run)
        part.topic, part.tag = self.topic, self.tag
        for name in ("values", "keys", "headers", "times", "partitions"):
            column = getattr(self, name)
            setattr(part, name, column and column[:count])
        self.drop(count)
        return part

    def drop(self, count: int) -> None:
        """The first ones are somebody else's now."""
        for column in (self.values, self.keys, self.headers, self.times, self.partitions):
            if column:
                del column[:count]
        self.tag += count


class Sender:
    """What one thread has sent and nobody put into C yet."""

    __slots__ = ("ident", "tag", "span", "run", "runs")

    def __init__(self, ident: int, first_tag: int, span: Span) -> None:
        self.ident = ident
        self.tag = first_tag  # of the next record
        self.span = span
        self.run = Run(None, first_tag, None, None, None, None)
        self.runs = [self.run]  # the last one is open

    def begin(self, topic: str, key: Any, headers: Any, partition: Optional[int], time_ms: Optional[int]) -> Run:
        """Another run, because a record does not fit the open one."""
        self.run = Run(topic, self.tag, key, headers, partition, time_ms)
        self.runs.append(self.run)
        return self.run

    def cut(self) -> List[Run]:
        """Takes all there is; one thread at a time may."""
        found = []
        while True:
            run, is_open = self.runs[0], len(self.runs) == 1
            part = run.cut()
            if part is not None:
                found.append(part)
            if is_open:
                return found
            del self.runs[0]  # it was not open before it was cut, so nothing can have been added since

    def count_again(self) -> None:
        """After an exception in the middle of adding: tags follow what is really there."""
        values = self.run.values
        for column in (self.run.keys, self.run.headers, self.run.times, self.run.partitions):
            if column is not None:
                del column[len(values):]
        self.tag = self.run.tag + len(values)


class NoRoom(BaseException):
    """Internal: there is no room, and nobody may wait for it here. What was not accepted stays queued."""


class Packer:
    """Packs records of one topic and puts them into C. One thread at a time uses it."""

    def __init__(self, lib: Library, client: int) -> None:
        self._call = lib.send_now
        self._client = client
        self._packed = _abi.Packed()
        self._at = ctypes.c_int32()
        self._arguments = (ctypes.byref(self._packed), ctypes.sizeof(self._packed), ctypes.byref(self._at), 0)

    def send(self, topic: str, partition: Optional[int], tag: int, values: Sequence[Optional[bytes]],
             keys: Optional[Sequence[Optional[bytes]]], headers: Optional[Sequence[Optional[bytes]]],
             times: Optional[Sequence[int]],
             partitions: Optional[Sequence[int]]) -> "Iterable[Tuple[int, int]]":
        """Yields (code, records accepted) until all are; the caller makes room and goes on, or skips one."""
        packed, at, count = self._packed, self._at, len(values)
        columns = [column for column in (headers, keys, values) if column is not None]
        whole: List[Any] = []
        for column in columns:
            try:
                sizes = list(map(len, column))  # type: ignore[arg-type]
            except TypeError:  # some are None
                sizes = [-1 if item is None else len(item) for item in column]
                column = [item or b"" for item in column]
            same = sizes.count(sizes[0]) == count
            whole.append((array("i", sizes[:1]) * count if same else array("i", sizes), column))
        if len(whole) == 1:
            data = b"".join(whole[0][1])
        else:
            data = b"".join(itertools.chain.from_iterable(zip(*(part for _, part in whole))))
        starts = iter([column.buffer_info()[0] for column, _ in whole])
        clock = None if times is None else array("q", times)
        places = None if partitions is None else array("i", partitions)
        packed.topic = topic.encode()
        packed.data = address(data)
        packed.data_size = len(data)
        packed.header_sizes = next(starts) if headers is not None else None
        packed.key_sizes = next(starts) if keys is not None else None
        packed.value_sizes = next(starts)
        packed.timestamps_ms = None if clock is None else clock.buffer_info()[0]
        packed.count = count
        packed.partition = partition or 0
        packed.set = 0 if partition is None else _abi.SET_PARTITION
        packed.first_tag = tag
        packed.partitions = None if places is None else places.buffer_info()[0]
        while at.value < count:
            code = self._call(self._client, *self._arguments)
            if code == 0:
                break
            yield code, at.value
            if code not in (_abi.ERR_FULL, _abi.ERR_UNREAD):
                at.value += 1

    def accepted(self) -> int:
        """How many of the last call's records are in C, or were refused one by one."""
        return self._at.value

    def begin(self) -> None:
        """Before a call: none yet."""
        self._at.value = 0

    def skip_rest(self) -> None:
        """The records that are left are not sent."""
        self._at.value = self._packed.count
