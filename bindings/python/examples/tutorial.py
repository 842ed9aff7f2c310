#!/usr/bin/env python3
"""The first program of every Kafka tutorial.

    python3 tutorial.py [HOST:PORT]     without an address: on the bundled broker
"""
import contextlib
import sys

from sluice import Consumer, Producer
from sluice.testing import Cluster


def main():
    with contextlib.ExitStack() as stack:
        servers = sys.argv[1] if len(sys.argv) > 1 else stack.enter_context(Cluster()).bootstrap_servers
        producer = Producer(bootstrap_servers=servers)
        for number in range(10):
            producer.send("greetings", b"hello %d" % number)
        producer.flush()
        consumer = Consumer("greetings", bootstrap_servers=servers, group_id="readers", auto_offset_reset="earliest",
                            consumer_timeout_ms=10000)
        for message in consumer:
            print(f"{message.topic}:{message.partition}:{message.offset}: {message.value.decode()}")
            if message.value == b"hello 9":
                break
        consumer.close()
        producer.close()


if __name__ == "__main__":
    main()
