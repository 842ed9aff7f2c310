"""A program of somebody else, who has installed the package; says where it came from."""
import asyncio

import sluice
from sluice.testing import Cluster

VALUES = [b"value %d" % number for number in range(1000)]


async def read(servers):
    async with sluice.AsyncConsumer("t", bootstrap_servers=servers, group_id="g", auto_offset_reset="earliest") as consumer:
        found = []
        async for record in consumer:
            found.append(record.value)
            if len(found) == len(VALUES):
                return found

with Cluster() as cluster:
    cluster.create_topic("t")
    with sluice.Producer(cluster.bootstrap_servers, compression_type="zstd") as producer:
        producer.send_many("t", VALUES)
    with sluice.Consumer("t", bootstrap_servers=cluster.bootstrap_servers, auto_offset_reset="earliest") as consumer:
        for value, record in zip(VALUES, consumer):
            assert record.value == value, record
    assert asyncio.run(read(cluster.bootstrap_servers)) == VALUES
print(sluice.__file__)
