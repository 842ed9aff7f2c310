"""What a consumer reads: batches of records, whose bytes have crossed from C in one piece.

A batch is one block of bytes and a row of 48 bytes for each record (sluice_row): numbers are columns of the
rows, values and keys are cut out of the block when they are asked for. Where all are of one size, as in
streams of measurements, they are cut by struct, in C.
"""
import itertools
import struct
from array import array
from functools import lru_cache
from operator import itemgetter
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

ROW_SIZE = 48
CUTS = 64
_KEYS, _VALUES, _HEADERS = 4, 6, 8  # columns of 32 bits: where it begins; the next column is its size
_COUNTS, _SLICES = 10, 11


class TopicPartition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


def _varint(data: bytes, at: int) -> Tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


def read_headers(raw: Optional[bytes]) -> List[Tuple[str, Optional[bytes]]]:
    """(name, value) pairs of headers in wire form, in their order."""
    found, at = [], 0
    while raw and at < len(raw):
        size, at = _varint(raw, at)
        name, at = raw[at:at + size].decode("utf-8", "replace"), at + size
        size, at = _varint(raw, at)
        found.append((name, None if size < 0 else raw[at:at + size]))
        at += max(size, 0)
    return found


try:  # what namedtuple uses: twice as fast as a property
    from collections import _tuplegetter  # type: ignore[attr-defined]
except ImportError:
    def _tuplegetter(index: int, doc: str) -> Any:
        return property(itemgetter(index), doc=doc)


class Record(Tuple[str, int, int, int, Any, Any, bytes]):
    """A record read: a tuple of its fields. Made by C alone, without a __new__ of Python's."""

    __slots__ = ()
    __match_args__ = ("topic", "partition", "offset", "timestamp", "key", "value", "raw_headers")

    topic: str = _tuplegetter(0, "the name of its topic")
    partition: int = _tuplegetter(1, "the number of its partition")
    offset: int = _tuplegetter(2, "its place there")
    timestamp: int = _tuplegetter(3, "milliseconds since 1970")
    key: Any = _tuplegetter(4, "bytes, or what key_deserializer made of them; None: it has none")
    value: Any = _tuplegetter(5, "bytes, or what value_deserializer made of them; None: a tombstone")
    raw_headers: bytes = _tuplegetter(6, "the headers in wire form")

    def __repr__(self) -> str:
        return "Record(" + ", ".join(f"{name}={item!r}" for name, item in zip(self.__match_args__, self)) + ")"

    @property
    def headers(self) -> List[Tuple[str, Optional[bytes]]]:
        """(name, value) pairs in their order."""
        return read_headers(self[6])

    def header(self, name: str) -> Optional[bytes]:
        """The last header of that name, or None."""
        return dict(self.headers).get(name)


@lru_cache(maxsize=64)
def _steps(first: int, step: int, count: int) -> "array[int]":
    return array("i", range(first, first + step * count, step))


@lru_cache(maxsize=64)
def _cutter(before: int, size: int, after: int, times: int) -> struct.Struct:
    return struct.Struct(f"{before}x{size}s{after}x" * times)


def _cut(block: bytes, begin: int, size: int, step: int) -> List[Optional[bytes]]:
    """Pieces of size at begin, begin + step … to the end of the block; CUTS at a time, in C."""
    after = step - begin - size
    whole = len(block) // (step * CUTS) * (step * CUTS)
    view = memoryview(block)
    found: List[Optional[bytes]] = []
    for part, times in ((view[:whole], CUTS), (view[whole:], 1)):
        if len(part):
            found += itertools.chain.from_iterable(_cutter(begin, size, after, times).iter_unpack(part))
    return found


class Batch:
    """Records of one or many partitions, in the order of each. Immutable, and valid for ever.

    Going over it gives Record objects; values(), keys() and offsets cost much less where they are all
    that is wanted.
    """

    __slots__ = ("_block", "_ints", "_places", "_makers", "count")

    def __init__(self, block: bytes, rows: "array[int]", count: int, places: Sequence[TopicPartition],
                 makers: Tuple[Optional[Callable[[bytes], Any]], Optional[Callable[[bytes], Any]]]) -> None:
        self._block = block
        self._ints = rows  # of 32 bits
        self._places = places  # of each slice
        self._makers = makers
        self.count = count

    def __len__(self) -> int:
        return self.count

    @property
    def offsets(self) -> memoryview:
        """The offset of each record, as a column of 64-bit numbers."""
        return memoryview(array("q", self._ints.tobytes())[0::6])

    @property
    def timestamps(self) -> memoryview:
        """The time of each record in milliseconds, as a column of 64-bit numbers."""
        return memoryview(array("q", self._ints.tobytes())[1::6])

    @property
    def data(self) -> memoryview:
        """The block with all headers, keys and values, without a copy."""
        return memoryview(self._block)

    def places(self, what: str = "value") -> List[Tuple[int, int]]:
        """Where each value (or "key", "headers") lies in data: (begin, size), size -1 for null."""
        column = {"value": _VALUES, "key": _KEYS, "headers": _HEADERS}[what]
        return list(zip(self._ints[column::12], self._ints[column + 1::12]))

    def views(self) -> List[Optional[memoryview]]:
        """The values without a copy: worth it from some kilobytes each."""
        data = self.data
        return [None if size < 0 else data[at:at + size] for at, size in self.places()]

    def _raw(self, column: int) -> List[Optional[bytes]]:
        block, count, places, sizes = self._block, self.count, self._ints[column::12], self._ints[column + 1::12]
        if count > 1 and sizes == sizes[:1] * count:
            size, begin, step = sizes[0], places[0], places[1] - places[0]
            if size <= 0:
                return [None if size < 0 else b""] * count
            # Cut by struct where they lie at equal steps from the start of the block to its end.
            if begin + size <= step and step * count == len(block) and places == _steps(begin, step, count):
                return _cut(block, begin, size, step)
        return [None if n < 0 else block[at:at + n] for at, n in zip(places, sizes)]

    def values(self) -> List[Any]:
        """The value of each record; None is a tombstone."""
        make = self._makers[1]
        raw = self._raw(_VALUES)
        return raw if make is None else [None if value is None else make(value) for value in raw]

    def keys(self) -> List[Any]:
        """The key of each record, or None."""
        make = self._makers[0]
        raw = self._raw(_KEYS)
        return raw if make is None else [None if key is None else make(key) for key in raw]

    def raw_headers(self) -> List[Optional[bytes]]:
        """The headers of each record in wire form: see read_headers."""
        if self._ints[_COUNTS::12] == _nothing * self.count:
            return [b""] * self.count
        return self._raw(_HEADERS)

    def partitions(self) -> List[TopicPartition]:
        """The partition of each record."""
        places, numbers = self._places, self._ints[_SLICES::12]
        if len(numbers) and numbers[0] == numbers[-1]:
            return [places[numbers[0]]] * self.count
        return [places[number] for number in numbers]

    def parts(self) -> List[Tuple[TopicPartition, int, int]]:
        """(partition, first, count): which records are of which partition."""
        numbers, found, at = self._ints[_SLICES::12], [], 0
        for number, group in itertools.groupby(numbers):
            size = sum(1 for _ in group)
            found.append((self._places[number], at, size))
            at += size
        return found

    def records(self) -> List[Record]:
        """All of them, with all fields."""
        return list(self)

    def __iter__(self) -> Iterator[Record]:
        # One at a time: a record that is let go at once costs the collector of garbage nothing.
        numbers = self._ints[_SLICES::12]
        if self.count and numbers[0] == numbers[-1]:
            place = self._places[numbers[0]]
            topics: Any = itertools.repeat(place.topic)
            partitions: Any = itertools.repeat(place.partition)
        else:
            of_each = self.partitions()
            topics, partitions = map(_topic_of, of_each), map(_partition_of, of_each)
        counts, longs = self._ints[_COUNTS::12], array("q", self._ints.tobytes())
        headers: Any = itertools.repeat(b"") if counts == _nothing * self.count else self._raw(_HEADERS)
        return map(Record, zip(topics, partitions, longs[0::6], longs[1::6], self.keys(),
                                    self.values(), headers))

    def __getitem__(self, index: int) -> Record:
        return self.records()[index]

    def slices(self) -> List[int]:
        """Which part of the poll each record is of."""
        return self._ints[_SLICES::12].tolist()

    def only_slice(self) -> Optional[int]:
        """Which part of the poll all records are of; None when they are of several."""
        first, last = self._ints[_SLICES], self._ints[-1]  # the last column of the first and of the last row
        return first if first == last else None

    def __repr__(self) -> str:
        return f"<sluice.Batch of {self.count} records>"


_nothing = array("i", [0])
_topic_of, _partition_of = itemgetter(0), itemgetter(1)
