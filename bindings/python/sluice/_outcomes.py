"""Which records have which outcome: reports of the library on one side, Delivery objects on the other.

Records are numbered in the order in which they were sent (their tags). A Span stands for SPAN tags and keeps
what was told of them: a report names a batch, most of whose tags follow each other, so a span holds a few
ranges and not a thing per record. Spans live as long as somebody holds a Delivery of theirs; what is told of
others is dropped unread.
"""
import weakref
from typing import Any, List, NamedTuple, Optional, Tuple

from . import _abi

SPAN_BITS = 10
SPAN = 1 << SPAN_BITS
BULK = 1 << 62  # tags of send_many: from here on


class RecordMetadata(NamedTuple):
    """Where a record was written. offset -1: the broker does not tell (acks=0)."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


class Report:
    """The outcome of some records of one partition."""

    __slots__ = ("outcome", "code", "partition", "topic", "base_offset", "timestamp_ms", "text")

    def __init__(self, outcome: int, code: int, partition: int, topic: str, base_offset: int,
                 timestamp_ms: int, text: str) -> None:
        self.outcome = outcome
        self.code = code
        self.partition = partition
        self.topic = topic
        self.base_offset = base_offset
        self.timestamp_ms = timestamp_ms
        self.text = text

    def metadata(self, index: int) -> RecordMetadata:
        """Of the record with this place in the batch."""
        offset = self.base_offset + index if self.base_offset >= 0 else -1
        return RecordMetadata(self.topic, self.partition, offset, self.timestamp_ms)


class Span:
    """What is known of tags first to first + count - 1."""

    __slots__ = ("number", "first", "count", "_ranges", "__weakref__")

    def __init__(self, first: int, count: int) -> None:
        self.number = first >> SPAN_BITS
        self.first = first
        self.count = count
        self._ranges: List[Tuple[int, int, int, Report]] = []  # (first, last, index of first, report)

    def add(self, first: int, last: int, index: int, report: Report) -> None:
        """Tags first to last are records index and up of a batch; some may belong to other spans."""
        if first < self.first:
            first, index = self.first, index + self.first - first
        last = min(last, self.first + self.count - 1)
        if last >= first:
            self._ranges.append((first, last, index, report))

    def known(self) -> int:
        """Of how many the outcome is known. Added up, because several threads may add at once."""
        return sum(last - first + 1 for first, last, _, _ in list(self._ranges))

    def find(self, tag: int) -> Optional[Tuple[Report, int]]:
        """The report of a tag and its place in the batch; None while there is none."""
        for first, last, index, report in self._ranges:
            if first <= tag <= last:
                return report, index + tag - first
        return None

    def ranges(self) -> List[Tuple[int, int, int, Report]]:
        """(first tag, last tag, place of the first in its batch, report), in the order of the tags."""
        return sorted(self._ranges, key=lambda found: found[0])


class Spans:
    """The spans that somebody still holds."""

    def __init__(self) -> None:
        self._live: "weakref.WeakValueDictionary[int, Span]" = weakref.WeakValueDictionary()
        self._bulk: "weakref.WeakSet[Any]" = weakref.WeakSet()
        self._next_bulk = BULK
        self._kinds = 0
        self.mixed = False  # tags of several threads, or of send and send_many, can be in one batch

    def begin_kind(self) -> None:
        """Tags of another thread or of send_many may come from now on."""
        self._kinds += 1
        self.mixed = self._kinds > 1

    def at(self, number: int) -> Span:
        """The span of this number; the caller sees to it that one thread at a time asks."""
        span = self._live.get(number)
        if span is None:
            span = self._live[number] = Span(number << SPAN_BITS, SPAN)
        return span

    def bulk(self, count: int) -> Span:
        """A span of so many tags of its own."""
        if self._next_bulk == BULK:
            self.begin_kind()
        span = Span(self._next_bulk, count)
        self._next_bulk += count
        self._bulk.add(span)
        return span

    def apply(self, tags: Any, count: int, report: Report) -> None:
        """Tells the spans what became of these tags (a pointer to 64-bit numbers)."""
        if not self._live and not self._bulk:
            return
        first, last = tags[0], tags[count - 1]
        if not self.mixed:  # then a batch has them in rising order, and its ends tell much
            if first < BULK:
                low, high = first >> SPAN_BITS, last >> SPAN_BITS
                if not any(low <= number <= high for number in list(self._live)):
                    return
            elif not self._bulk:
                return
            if last - first == count - 1:
                self._apply_range(first, last, 0, report)
                return
        numbers, begin = tags[:count], 0
        for i in range(1, count + 1):  # runs of tags that follow each other
            if i == count or numbers[i] != numbers[i - 1] + 1:
                self._apply_range(numbers[begin], numbers[i - 1], begin, report)
                begin = i

    def _apply_range(self, first: int, last: int, index: int, report: Report) -> None:
        if first >= BULK:
            for span in list(self._bulk):
                if span.first <= last and first < span.first + span.count:
                    span.add(first, last, index, report)
            return
        for number in range(first >> SPAN_BITS, (last >> SPAN_BITS) + 1):
            found = self._live.get(number)
            if found is not None:
                found.add(first, last, index, report)


OUTCOME_ERRORS = {_abi.NOT_WRITTEN: _abi.ERR_NOT_WRITTEN, _abi.MAYBE_WRITTEN: _abi.ERR_MAYBE_WRITTEN}
