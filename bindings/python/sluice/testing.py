"""A Kafka cluster inside this process, for tests of programs: real connections, faults on demand.

    with Cluster(brokers=3) as cluster:
        cluster.create_topic("orders", partitions=4)
        producer = sluice.Producer(cluster.bootstrap_servers)

pytest finds the fixture `sluice_cluster` where a conftest.py says `from sluice.testing import sluice_cluster`.
"""
import ctypes
from array import array
from typing import Any, Iterator, List, Optional

from . import _abi
from ._client import Handle
from ._library import address, library, text
from ._packing import Data, Headers, to_bytes, write_headers
from .errors import error_of
from .records import ROW_SIZE, Batch, Record, TopicPartition

_KINDS = {"error": _abi.FAULT_ERROR, "delay": _abi.FAULT_DELAY, "cut_before": _abi.FAULT_CUT_BEFORE,
          "cut_after": _abi.FAULT_CUT_AFTER, "silent": _abi.FAULT_SILENT, "corrupt": _abi.FAULT_CORRUPT,
          "hostile": _abi.FAULT_HOSTILE}
_STATES = {"up": _abi.BROKER_UP, "down": _abi.BROKER_DOWN, "frozen": _abi.BROKER_FROZEN}


class Cluster:
    """So many brokers on 127.0.0.1, with ids from 1. Settings as sluice_testbroker_set has them, with underscores."""

    def __init__(self, brokers: int = 1, **settings: Any) -> None:
        self._lib = library()
        out = ctypes.c_void_p()
        self._check(self._lib.testbroker_create(brokers, None, ctypes.byref(out)))
        self._handle = Handle(out.value, self._lib.testbroker_free)
        self.bootstrap_servers = text(self._lib.testbroker_bootstrap(out.value))
        for name, value in settings.items():
            self.set(name.replace("_", "."), value)

    def _check(self, code: int) -> None:
        if code != 0:
            raise error_of(self._lib, code)

    def set(self, name: str, value: Any) -> None:
        """Changes a setting of the cluster."""
        word = str(value).lower() if isinstance(value, bool) else str(value)
        self._check(self._lib.testbroker_set(self._handle.value, name.encode(), word.encode()))

    def create_topic(self, name: str, partitions: int = 1, replicas: int = 1) -> None:
        """Creates a topic."""
        self._check(self._lib.testbroker_topic(self._handle.value, name.encode(), partitions, replicas))

    def append(self, topic: str, value: Data = None, key: Data = None, partition: int = 0,
               timestamp_ms: Optional[int] = None, headers: Headers = None) -> None:
        """Appends one record as if it had been produced."""
        raw_key, raw_value = to_bytes(key), to_bytes(value)
        record = _abi.Record(topic=topic.encode(), partition=partition, set=_abi.SET_PARTITION)
        if raw_key is not None:
            record.key, record.key_size = address(raw_key), len(raw_key)
        if raw_value is None:
            record.set |= _abi.SET_TOMBSTONE
        else:
            record.value, record.value_size = address(raw_value), len(raw_value)
        if timestamp_ms is not None:
            record.timestamp_ms, record.set = timestamp_ms, record.set | _abi.SET_TIMESTAMP
        if headers:
            raw, count = write_headers(headers)
            record.raw_headers = address(raw)
            record.raw_headers_size, record.header_count = len(raw), count
        self._check(self._lib.testbroker_append(self._handle.value, ctypes.byref(record), ctypes.sizeof(record)))

    def read(self, topic: str, partition: int = 0, first: int = 0) -> List[Record]:
        """What is stored from an offset on."""
        found: List[Record] = []
        place = [TopicPartition(topic, partition)]
        while True:
            out = ctypes.c_void_p()
            self._check(self._lib.testbroker_read(self._handle.value, topic.encode(), partition, first,
                                                  ctypes.byref(out)))
            if not out.value:
                return found
            batch = Handle(out.value, self._lib.batch_free)
            data, rows, used = ctypes.create_string_buffer(1 << 20), ctypes.create_string_buffer(1024 * ROW_SIZE), \
                ctypes.c_size_t()
            while (count := self._lib.batch_pack(batch.value, data, len(data), rows, 1024, ctypes.byref(used))) != 0:
                if count == _abi.ERR_TOO_BIG:
                    data = ctypes.create_string_buffer(used.value)
                    continue
                if count < 0:
                    raise error_of(self._lib, count)
                found += Batch(ctypes.string_at(data, used.value), array("i", rows.raw[:count * ROW_SIZE]), count,
                               place, (None, None)).records()
            if not found or found[-1].offset < first:
                return found
            first = found[-1].offset + 1

    def fault(self, kind: str, api: Optional[str] = None, code: int = 0, times: int = 1, delay_ms: int = 0,
              skip: int = 0, broker: int = 0, topic: Optional[str] = None, partition: Optional[int] = None) -> int:
        """The next matching requests go wrong: "error" (with Kafka's code), "delay", "cut_before", "cut_after",
        "silent", "corrupt", "hostile" (code 1: says that two gigabytes follow, 2: promises two thousand million
        entries, 3: comes byte by byte, delay_ms between two). times -1: until healed. Returns the number for heal."""
        fault, number = _abi.Fault(), ctypes.c_int32()
        fault.kind, fault.code, fault.times, fault.delay_ms = _KINDS[kind], code, times, delay_ms
        fault.skip, fault.broker = skip, broker
        fault.api, fault.topic = api and api.encode(), topic and topic.encode()
        if partition is not None:
            fault.partition, fault.set = partition, _abi.SET_PARTITION
        self._check(self._lib.testbroker_fault(self._handle.value, ctypes.byref(fault), ctypes.sizeof(fault),
                                               ctypes.byref(number)))
        return number.value

    def heal(self, fault: int = 0) -> None:
        """Takes a fault back, or all."""
        self._check(self._lib.testbroker_heal(self._handle.value, fault))

    def broker(self, number: int, state: str) -> None:
        """Sets a broker "up", "down" or "frozen"."""
        self._check(self._lib.testbroker_broker(self._handle.value, number, _STATES[state]))

    def move_leader(self, topic: str, partition: int, broker: int) -> None:
        """Another broker leads the partition."""
        self._check(self._lib.testbroker_move(self._handle.value, _abi.MOVE_LEADER, topic.encode(), partition, broker))

    def move_coordinator(self, group: str, broker: int) -> None:
        """Another broker coordinates the group."""
        self._check(self._lib.testbroker_move(self._handle.value, _abi.MOVE_COORDINATOR, group.encode(), 0, broker))

    def rebalance(self, group: str) -> None:
        """The members of the group have to join again."""
        self._check(self._lib.testbroker_rebalance(self._handle.value, group.encode()))

    def wait_for(self, api: Optional[str], count: int, timeout: float = 30.0) -> int:
        """Waits until so many requests of an API have come since the start; how many there are."""
        seen = ctypes.c_int64()
        self._check(self._lib.testbroker_await(self._handle.value, api and api.encode(), count, int(timeout * 1000),
                                               ctypes.byref(seen)))
        return seen.value

    def close(self) -> None:
        """Stops the cluster; its connections end."""
        value, self._handle.value = self._handle.value, None
        self._lib.testbroker_free(value)

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _cluster() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


try:
    import pytest  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    pass
else:
    sluice_cluster = pytest.fixture(name="sluice_cluster")(_cluster)
