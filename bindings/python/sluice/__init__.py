"""sluice: producers, consumers and a test cluster for Apache Kafka, over the C library of that name.

    with sluice.Producer("localhost:9092") as producer:
        producer.send("orders", b"order 1")

    for record in sluice.Consumer("orders", bootstrap_servers="localhost:9092", group_id="billing"):
        print(record.value)

AsyncProducer and AsyncConsumer are the same on asyncio; sluice.testing has a cluster for tests.
"""
from . import errors
from ._abi import VERSION as __version__
from ._client import Admin
from ._outcomes import RecordMetadata
from .aio import AsyncConsumer, AsyncProducer
from .consumer import Consumer, Position
from .errors import KafkaError
from .producer import Deliveries, Delivery, Producer
from .records import Batch, Record, TopicPartition, read_headers

__all__ = ["Admin", "AsyncConsumer", "AsyncProducer", "Batch", "Consumer", "Deliveries", "Delivery", "KafkaError",
           "Position", "Producer", "Record", "RecordMetadata", "TopicPartition", "errors", "read_headers",
           "__version__"]
