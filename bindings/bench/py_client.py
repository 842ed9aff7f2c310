"""One client of the benchmark, in a process of its own:

    python3 py_client.py CASE WHO BOOTSTRAP SECONDS [SETTING=VALUE ...]

WHO is sluice or confluent. Runs the case for a warm-up of half a second and then for SECONDS, and prints how many
records it moved in them, in how much time and with how much CPU time of the whole process, as JSON.
"""
import asyncio
import json
import sys
import time

TOPIC = "bench"
VALUE = b"x" * 100
GROUP = "bench-bindings"
PARTITIONS = 4


class Clock:
    """What is measured: from the end of the warm-up on."""

    def __init__(self, seconds):
        self.begin = time.monotonic() + 0.5
        self.seconds, self.end = seconds, float("inf")
        self.records = 0
        self.wall = self.cpu = None

    def count(self, records):
        """Some records were moved; False when it is time to stop."""
        now = time.monotonic()
        if self.wall is None:
            if now >= self.begin:
                self.wall, self.cpu = now, time.process_time()
                self.end = now + self.seconds  # some take long until their first record
            return True
        self.records += records
        return now < self.end

    def stop(self):
        self.wall, self.cpu = time.monotonic() - self.wall, time.process_time() - self.cpu


# ---- sluice ----

def sluice_send(clock, servers):
    import sluice
    producer = sluice.Producer(servers)
    send = producer.send
    while clock.count(1000):
        for _ in range(1000):
            send(TOPIC, VALUE)
    producer.flush()
    clock.stop()
    producer.close()


def sluice_send_many(clock, servers):
    import sluice
    producer = sluice.Producer(servers)
    while clock.count(1000):
        producer.send_many(TOPIC, [VALUE for _ in range(1000)])
    producer.flush()
    clock.stop()
    producer.close()


def sluice_consumer(servers, kind="Consumer"):
    import sluice
    consumer = getattr(sluice, kind)(bootstrap_servers=servers)
    consumer.assign([(TOPIC, p, "earliest") for p in range(PARTITIONS)])
    return consumer


def sluice_values(clock, servers):
    consumer, total = sluice_consumer(servers), 0
    for batch in consumer.batches():
        total += sum(map(len, batch.values()))
        if not clock.count(len(batch)):
            break
    clock.stop()
    consumer.close()


def sluice_fields(clock, servers):
    consumer, total = sluice_consumer(servers), 0
    for batch in consumer.batches():
        for record in batch:
            record.topic, record.partition, record.timestamp, record.key
            total += record.offset + len(record.value)
        if not clock.count(len(batch)):
            break
    clock.stop()
    consumer.close()


async def sluice_aio_consume(clock, servers):
    consumer, count = sluice_consumer(servers, "AsyncConsumer"), 0
    async for record in consumer:
        record.value
        count += 1
        if count == 1000:
            count = 0
            if not clock.count(1000):
                break
    clock.stop()
    await consumer.close()


async def sluice_aio_send(clock, servers):
    import sluice
    producer = sluice.AsyncProducer(servers)
    while clock.count(1000):
        for future in [producer.send(TOPIC, VALUE) for _ in range(1000)]:
            await future
    clock.stop()
    await producer.close()


# ---- confluent-kafka ----

def confluent_send(clock, servers):
    import confluent_kafka
    producer = confluent_kafka.Producer({"bootstrap.servers": servers})
    produce = producer.produce
    while clock.count(1000):
        for _ in range(1000):
            while True:
                try:
                    produce(TOPIC, VALUE)
                    break
                except BufferError:
                    producer.poll(0.01)
        producer.poll(0)
    producer.flush()
    clock.stop()


def confluent_send_many(clock, servers):
    import confluent_kafka
    producer = confluent_kafka.Producer({"bootstrap.servers": servers})
    while clock.count(1000):
        while len(producer) > 90000:
            producer.poll(0.005)
        producer.produce_batch(TOPIC, [{"value": VALUE} for _ in range(1000)])
        producer.poll(0)
    producer.flush()
    clock.stop()


def confluent_settings(servers):
    return {"bootstrap.servers": servers, "group.id": GROUP, "auto.offset.reset": "earliest",
            "enable.auto.commit": False}


def confluent_assignment():
    from confluent_kafka import OFFSET_BEGINNING, TopicPartition
    return [TopicPartition(TOPIC, p, OFFSET_BEGINNING) for p in range(PARTITIONS)]


def confluent_consumer(servers):
    import confluent_kafka
    consumer = confluent_kafka.Consumer(confluent_settings(servers))
    consumer.assign(confluent_assignment())
    return consumer


def confluent_values(clock, servers):
    consumer, total = confluent_consumer(servers), 0
    while True:
        messages = consumer.consume(1000, 1)
        total += sum([len(message.value()) for message in messages])
        if not clock.count(len(messages)):
            break
    clock.stop()


def confluent_fields(clock, servers):
    consumer, total = confluent_consumer(servers), 0
    while True:
        messages = consumer.consume(1000, 1)
        for message in messages:
            message.topic(), message.partition(), message.timestamp(), message.key()
            total += message.offset() + len(message.value())
        if not clock.count(len(messages)):
            break
    clock.stop()


async def confluent_aio_consume(clock, servers):
    from confluent_kafka.aio import AIOConsumer
    consumer, count = AIOConsumer(confluent_settings(servers)), 0
    await consumer.assign(confluent_assignment())
    while True:
        message = await consumer.poll(1)
        if message is not None:
            message.value()
            count += 1
        if count == 100:
            count = 0
            if not clock.count(100):
                break
    clock.stop()
    await consumer.close()


async def confluent_aio_send(clock, servers):
    from confluent_kafka.aio import AIOProducer
    producer = AIOProducer({"bootstrap.servers": servers})
    while clock.count(1000):
        for future in [await producer.produce(TOPIC, VALUE) for _ in range(1000)]:
            await future
    clock.stop()
    await producer.close()


def main():
    case, who, servers, seconds = sys.argv[1:5]
    clock, run = Clock(float(seconds)), globals()[who + case.removeprefix("py").replace("-", "_")]
    if asyncio.iscoroutinefunction(run):
        asyncio.run(run(clock, servers))
    else:
        run(clock, servers)
    print(json.dumps({"records": clock.records, "wall": clock.wall, "cpu": clock.cpu}), flush=True)


if __name__ == "__main__":
    main()
