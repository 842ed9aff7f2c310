#!/usr/bin/env python3
"""The Python package on a real Kafka, for cases/bindings.sh; bindings.mjs does the same in Node, with the same records.

    bindings.py write SERVERS TOPIC COUNT       makes the topic, writes a quarter in each of the ways there are
    bindings.py read SERVERS GROUP COUNT TOPIC...   reads them in a group, in each of the ways there are
    bindings.py member SERVERS GROUP TOPIC      prints "partition offset" lines until it is told to end
    bindings.py remove SERVERS TOPIC            deletes it

COUNT is of each topic. Every field of a record follows from its number, which its first header tells.
"""
import asyncio
import datetime
import signal
import sys
import time

import sluice
from sluice import AsyncConsumer, AsyncProducer, Consumer, Producer

PARTITIONS, TIME = 6, 1_700_000_000_000


def make_record(number, count):
    """key, value, headers, time and partition of a record; the partition is None where its key chooses."""
    key = None if number % 4 == 0 else b"\xff\0\xfe" if number % 50 == 1 else b"k%d" % (number % 97)
    value = {99: None, 98: b""}.get(number % 100, b"%d:" % number + "ü".encode() * (number * 37 % 120))
    headers = [("n", b"%d" % number), ("empty", b"")] + ([("null", None)] if number % 7 == 0 else [])
    is_placed = number * 4 // count in (0, 2) and number % 3 == 0
    return key, value, headers, TIME + number, number % PARTITIONS if is_placed else None


def columns(count, quarter):
    """The records of a quarter as send_many has them."""
    records = [make_record(number, count) for number in range(count * quarter // 4, count * (quarter + 1) // 4)]
    keys, values, headers, times, _ = (list(column) for column in zip(*records))
    return values, keys, headers, None, times


class Checker:
    """What was read is what was written: each record once, in the order of its partition, where its key belongs."""

    def __init__(self, count, topics):
        self.count, self.topics = count, topics
        self.seen = {topic: set() for topic in topics}
        self.last, self.places = {}, {}

    def check(self, topic, partition, offset, time_ms, key, value, headers):
        number = int(dict(headers)["n"])
        wanted_key, wanted_value, wanted_headers, wanted_time, place = make_record(number, self.count)
        found = (key, value, headers, time_ms)
        if found != (wanted_key, wanted_value, wanted_headers, wanted_time):
            raise AssertionError(f"{topic} [{partition}] {offset}: {found} is not record {number}")
        if place is None and key is not None:
            place = self.places.setdefault(key, partition)  # in every topic, whoever wrote it
        if place not in (None, partition):
            raise AssertionError(f"record {number} with key {key!r} is in {partition}, not {place}")
        last = self.last.get((topic, partition), (-1, -1))
        if (number, offset) <= last or offset <= last[1] or number in self.seen[topic]:
            raise AssertionError(f"{topic} [{partition}] {offset}: record {number} after {last}")
        self.last[topic, partition] = number, offset
        self.seen[topic].add(number)

    def check_batch(self, batch):
        """By the columns, and some of it by records as well."""
        for (topic, partition), offset, time_ms, key, value, raw in zip(
                batch.partitions(), batch.offsets, batch.timestamps, batch.keys(), batch.values(),
                batch.raw_headers()):
            self.check(topic, partition, offset, time_ms, key, value, sluice.read_headers(raw))

    def total(self):
        return sum(map(len, self.seen.values()))

    def is_done(self):
        return self.total() == self.count * len(self.topics)


def write(servers, topic, count):
    with sluice.Admin(servers) as admin:
        admin.create_topic(topic, PARTITIONS, 3, {"min.insync.replicas": 2})
        try:
            admin.create_topic(topic, PARTITIONS, 3)
            raise AssertionError("the topic was made twice")
        except sluice.KafkaError as error:
            assert error.name == "TOPIC_ALREADY_EXISTS", error
    places, quarter = {}, count // 4
    with Producer(servers, compression_type="zstd") as producer:
        assert await_partitions(producer, topic) == set(range(PARTITIONS))
        sent = [send(producer, topic, number, count) for number in range(quarter)]
        for delivery in sent:
            told = delivery.result(30)
            assert places.get(told.partition, -1) < told.offset, told
            places[told.partition] = told.offset
        values, keys, headers, _, times = columns(count, 1)
        told = producer.send_many(topic, values, keys, headers, timestamps_ms=times).result(30)
        assert len(told) == len(values)
    assert sum(last + 1 for last in places.values()) == quarter, places
    asyncio.run(write_more(servers, topic, count))


def await_partitions(client, topic):
    """A topic that was just made is not known to every broker at once."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return client.partitions_for(topic)
        except sluice.errors.RetriableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def send(producer, topic, number, count):
    key, value, headers, time_ms, partition = make_record(number, count)
    return producer.send(topic, value, key, headers, partition, time_ms)


async def write_more(servers, topic, count):
    async with AsyncProducer(servers, compression_type="lz4") as producer:
        await asyncio.gather(*(send(producer, topic, number, count) for number in range(count // 2, count * 3 // 4)))
        values, keys, headers, _, times = columns(count, 3)
        await producer.send_many(topic, values, keys, headers, timestamps_ms=times)


def read(servers, group, count, *topics):
    settings = {"bootstrap_servers": servers, "group_id": group, "auto_offset_reset": "earliest"}
    checker = Checker(count, topics)
    with Consumer(*topics, enable_auto_commit=False, consumer_timeout_ms=30000, **settings) as consumer:
        for record in consumer:
            checker.check(*record[:6], record.headers)
            if checker.total() == count:
                consumer.commit()
                break
    # Closed without a commit: what is read meanwhile comes again.
    with Consumer(*topics, enable_auto_commit=False, **settings) as consumer:
        assert consumer.poll(30) is not None
    with Consumer(*topics, consumer_timeout_ms=30000, **settings) as consumer:
        for batch in consumer.batches():
            checker.check_batch(batch)
            if checker.is_done():
                break
    assert checker.is_done(), f"{checker.total()} records"
    with Consumer(bootstrap_servers=servers, group_id=group, enable_auto_commit=False) as consumer:
        places = [(topic, partition) for topic in topics for partition in range(PARTITIONS)]
        assert consumer.committed(*places) == consumer.end_offsets(*places)
        consumer.assign(places)
        middle = TIME + count // 2
        consumer.seek_all({place: datetime.datetime.fromtimestamp(middle / 1000, datetime.timezone.utc)
                           for place in places})
        check_replay(consumer.poll(30), middle)
        consumer.seek_to_beginning()
        consumer.pause(*places[1:])
        assert {(record.partition, record.topic) for record in consumer.poll(30)} == {(0, topics[0])}
        assert consumer.position(places[0]) > 0
    asyncio.run(read_again(servers, f"{group}-asyncio", count, topics))


def check_replay(batch, middle):
    """From a time on: the first record of a partition is not older, and its predecessor was."""
    for (_, partition), first, _ in batch.parts():
        assert batch.timestamps[first] >= middle, (partition, batch.timestamps[first], middle)


async def read_again(servers, group, count, topics):
    checker = Checker(count, topics)
    async with AsyncConsumer(*topics, bootstrap_servers=servers, group_id=group,
                             auto_offset_reset="earliest", enable_auto_commit=False) as consumer:
        async for record in consumer:
            checker.check(*record[:6], record.headers)
            if checker.total() == count:
                break
        await consumer.commit()
        while not checker.is_done():
            checker.check_batch(await asyncio.wait_for(consumer.poll(), 30))
        await consumer.commit()
        places = [(topic, partition) for topic in topics for partition in range(PARTITIONS)]
        assert await consumer.committed(*places) == await consumer.end_offsets(*places)
        consumer.seek(places[0], "earliest")
        assert (await asyncio.wait_for(consumer.poll(), 30))[0].offset == 0


def member(servers, group, topic):
    consumer = Consumer(topic, bootstrap_servers=servers, group_id=group, auto_offset_reset="earliest",
                        on_assign=lambda places: print("assigned", len(places), file=sys.stderr, flush=True))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # which is what Ctrl-C does
    try:
        with consumer:
            for batch in consumer.batches():
                for record in batch:
                    print(record.partition, record.offset)
                sys.stdout.flush()
    except KeyboardInterrupt:
        pass


def remove(servers, topic):
    with sluice.Admin(servers) as admin:
        admin.delete_topic(topic)


def main():
    verb, *arguments = sys.argv[1:]
    {"write": write, "read": read, "member": member, "remove": remove}[verb](
        *(int(word) if word.isdecimal() else word for word in arguments))


if __name__ == "__main__":
    main()
