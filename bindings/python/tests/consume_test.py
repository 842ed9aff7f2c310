"""Goal: what is stored is read once each in order, by one consumer or many, and a commit says what was processed.
Method: the bundled broker, with records appended to it; consumers that stop in the middle."""
import datetime
import time
import unittest

import sluice
from sluice import TopicPartition
from sluice.errors import ClosedError, KafkaError, UsageError
from sluice.testing import Cluster
from support import interrupt_when_in


class Consume(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster()
        self.addCleanup(self.cluster.close)
        self.cluster.create_topic("t", 2)

    def fill(self, count, first=0, partition=0):
        with sluice.Producer(self.cluster.bootstrap_servers) as producer:
            producer.send_many("t", [b"%d" % i for i in range(first, first + count)], partition=partition).result(20)

    def consumer(self, *topics, **settings):
        settings.setdefault("auto_offset_reset", "earliest")
        consumer = sluice.Consumer(*topics, bootstrap_servers=self.cluster.bootstrap_servers, **settings)
        self.addCleanup(consumer.close, 5)
        return consumer

    @staticmethod
    def take(consumer, count):
        found = []
        for record in consumer:
            found.append(record)
            if len(found) == count:
                return found
        return found

    def test_the_loop_of_every_tutorial(self):
        self.fill(5000)
        consumer = self.consumer("t", group_id="g", consumer_timeout_ms=20000)
        found = self.take(consumer, 5000)
        self.assertEqual([r.value for r in found], [b"%d" % i for i in range(5000)])
        self.assertEqual([r.offset for r in found], list(range(5000)))
        self.assertEqual({(r.topic, r.partition, r.key) for r in found}, {("t", 0, None)})

    def test_without_a_group(self):
        self.fill(10)
        self.fill(10, 10, partition=1)
        consumer = self.consumer("t", consumer_timeout_ms=20000)
        self.assertEqual({r.value for r in self.take(consumer, 20)}, {b"%d" % i for i in range(20)})
        consumer = self.consumer("t", consumer_timeout_ms=300)
        self.assertEqual(len(list(consumer)), 20)  # and the loop ends when nothing comes

    def test_every_shape_of_a_record(self):
        shapes = [(b"k" * (i % 3), b"v" * (i * 37 % 300), {"h": b"x" * i} if i % 4 == 0 else None)
                  for i in range(400)] + [(None, None, None), (b"", b"", None), (b"k", b"v" * 700_000, {"n": None})]
        for key, value, headers in shapes:
            self.cluster.append("t", value, key, 0, 1_700_000_000_000, headers)
        consumer = self.consumer("t", consumer_timeout_ms=20000)
        found = self.take(consumer, len(shapes))
        self.assertEqual([(r.key, r.value, dict(r.headers)) for r in found],
                         [(k, v, h or {}) for k, v, h in shapes])
        self.assertEqual({r.timestamp for r in found}, {1_700_000_000_000})

    def test_columns_of_a_batch(self):
        self.fill(3000)
        self.fill(50, 0, 1)
        consumer, total = self.consumer("t", consumer_timeout_ms=20000), 0
        for batch in consumer.batches():
            records = batch.records()
            self.assertEqual(len(batch), len(records))
            self.assertEqual(batch.offsets.tolist(), [r.offset for r in records])
            self.assertEqual(batch.timestamps.tolist(), [r.timestamp for r in records])
            self.assertEqual(batch.values(), [r.value for r in records])
            self.assertEqual([bytes(v) for v in batch.views()], batch.values())
            self.assertEqual(batch.keys(), [None] * len(batch))
            self.assertEqual(batch.partitions(), [(r.topic, r.partition) for r in records])
            self.assertEqual(sum(count for _, _, count in batch.parts()), len(batch))
            self.assertEqual(batch[0], records[0])
            total += len(batch)
            if total == 3050:
                break

    def test_equal_sizes_are_cut_right(self):
        for i in range(500):
            self.cluster.append("t", b"%07d" % i, b"%03d" % i, 0, headers={"a": b"%03d" % i})
        with self.consumer("t") as consumer:
            batch = consumer.poll(20)
        count = len(batch)
        self.assertEqual(batch.values(), [b"%07d" % i for i in range(count)])
        self.assertEqual(batch.keys(), [b"%03d" % i for i in range(count)])
        self.assertEqual([r.header("a") for r in batch], [b"%03d" % i for i in range(count)])

    def test_nothing_but_empty_values(self):
        for _ in range(5):
            self.cluster.append("t", b"")
        with self.consumer("t") as consumer:
            self.assertEqual(consumer.poll(20).values(), [b""] * 5)
        for _ in range(5):
            self.cluster.append("t", None, b"", 1)
        consumer = self.consumer()
        consumer.assign([("t", 1)])
        batch = consumer.poll(20)
        self.assertEqual((batch.keys(), batch.values()), ([b""] * len(batch), [None] * len(batch)))

    def test_deserializers(self):
        self.fill(10)
        consumer = self.consumer("t", value_deserializer=int, consumer_timeout_ms=20000)
        self.assertEqual([r.value for r in self.take(consumer, 10)], list(range(10)))

    def test_who_comes_next_goes_on_where_this_one_stopped(self):
        self.fill(100)
        found = []
        for stop in (7, 50, 43):
            with self.consumer("t", group_id="g", consumer_timeout_ms=20000) as consumer:
                found += self.take(consumer, stop)  # breaks off in the middle of a batch
        self.assertEqual([r.value for r in found], [b"%d" % i for i in range(100)])

    def test_a_commit_in_a_loop(self):
        self.fill(100)
        consumer = self.consumer("t", group_id="g", enable_auto_commit=False, consumer_timeout_ms=20000)
        for record in consumer:
            if record.offset == 41:
                consumer.commit()
                break
        self.assertEqual(consumer.committed(("t", 0)), {("t", 0): 42})
        consumer.commit({("t", 0): 10})
        self.assertEqual(consumer.committed(("t", 0)), {("t", 0): 10})
        self.assertEqual(consumer.committed(("nothing", 0)), {})

    def test_an_error_leaves_the_record_in_hand_out(self):
        self.fill(100)
        with self.assertRaises(ZeroDivisionError):
            with self.consumer("t", group_id="g", consumer_timeout_ms=20000) as consumer:
                for record in consumer:
                    if record.offset == 30:
                        raise ZeroDivisionError
        with self.consumer("t", group_id="g", consumer_timeout_ms=20000) as consumer:
            self.assertEqual(self.take(consumer, 1)[0].offset, 30)

    def test_a_batch_that_failed_comes_again(self):
        self.fill(100)
        with self.assertRaises(ZeroDivisionError):
            with self.consumer("t", group_id="g", consumer_timeout_ms=20000) as consumer:
                for batch in consumer.batches(max_records=40):
                    if batch.offsets[0] == 40:
                        raise ZeroDivisionError
        with self.consumer("t", group_id="g", consumer_timeout_ms=20000) as consumer:
            self.assertEqual(self.take(consumer, 1)[0].offset, 40)

    def test_seek(self):
        for i in range(50):
            self.cluster.append("t", b"%d" % i, timestamp_ms=1_700_000_000_000 + i * 1000)
        consumer = self.consumer(consumer_timeout_ms=20000)
        consumer.assign([("t", 0)])
        place = TopicPartition("t", 0)
        self.assertEqual(self.take(consumer, 5)[-1].offset, 4)
        for where, offset in ((20, 20), ("earliest", 0), (49, 49),
                              (datetime.datetime.fromtimestamp(1_700_000_030, datetime.timezone.utc), 30)):
            consumer.seek(place, where)
            self.assertEqual(next(consumer).offset, offset, where)
        consumer.seek_to_beginning()
        self.assertEqual(next(consumer).offset, 0)
        consumer.seek_to_end()
        self.assertIsNone(consumer.poll(0.2))
        self.assertEqual(consumer.beginning_offsets(place), {place: 0})
        self.assertEqual(consumer.end_offsets(place), {place: 50})
        with self.assertRaises(KafkaError):
            consumer.seek(("other", 0), 1)

    def test_assign_with_places(self):
        self.fill(50)
        consumer = self.consumer(consumer_timeout_ms=20000)
        consumer.assign([("t", 0, 45), ("t", 1, "latest")])
        self.assertEqual([r.offset for r in self.take(consumer, 5)], list(range(45, 50)))
        self.assertEqual(consumer.assignment(), {("t", 0), ("t", 1)})
        self.assertEqual(consumer.position(("t", 0)), 50)
        self.assertIsNone(consumer.position(("t", 7)))

    def test_pause_and_lag(self):
        self.fill(50)
        consumer = self.consumer("t", group_id="g", consumer_timeout_ms=20000)
        self.take(consumer, 10)
        consumer.pause(("t", 0))
        self.assertEqual(consumer.paused(), {("t", 0)})
        self.assertEqual(consumer.lag()[("t", 0)], 40)
        self.assertIsNone(consumer.poll(0.2))
        consumer.resume(("t", 0))
        self.assertEqual([r.offset for r in self.take(consumer, 10)], list(range(10, 20)))
        self.assertEqual(consumer.poll(20).offsets[0], 20)  # a loop that was left, and a poll

    def test_two_members_share_and_are_told(self):
        told = []
        first = self.consumer("t", group_id="g", on_assign=lambda p: told.append(("came", len(p))),
                              on_revoke=lambda p: told.append(("goes", len(p))))
        deadline = time.monotonic() + 30
        while not told and time.monotonic() < deadline:
            first.poll(0.1)
        self.assertEqual(told, [("came", 2)])
        second = self.consumer("t", group_id="g")
        while len(second.assignment()) != 1 and time.monotonic() < deadline:
            first.poll(0.05)
            second.poll(0.05)
        self.assertEqual(len(second.assignment()), 1)
        self.assertEqual(first.assignment() | second.assignment(), {("t", 0), ("t", 1)})
        self.assertIn("goes", [what for what, _ in told])

    def test_every_group_gets_everything(self):
        """Three services, one of which comes late; each begins again where it had come to."""
        self.fill(100)
        for group in ("billing", "stock", "mail"):
            with self.consumer("t", group_id=group, consumer_timeout_ms=20000) as consumer:
                self.assertEqual([r.value for r in self.take(consumer, 100)], [b"%d" % i for i in range(100)])
        self.fill(10, 100)
        for group in ("mail", "billing", "stock"):
            with self.consumer("t", group_id=group, consumer_timeout_ms=20000) as consumer:
                self.assertEqual([r.value for r in self.take(consumer, 10)], [b"%d" % i for i in range(100, 110)])

    def test_a_listener_chooses_where_to_begin(self):
        self.fill(50)
        consumer = self.consumer("t", group_id="g", consumer_timeout_ms=20000,
                                 on_assign=lambda places: {("t", 0): 33})
        self.assertEqual(self.take(consumer, 1)[0].offset, 33)

    def test_a_broken_connection_is_nothing(self):
        self.fill(1000)
        self.cluster.fault("cut_before", "Fetch", times=3)
        consumer = self.consumer("t", group_id="g", consumer_timeout_ms=20000, reconnect_backoff_ms=10)
        self.assertEqual([r.value for r in self.take(consumer, 1000)], [b"%d" % i for i in range(1000)])

    def test_a_damaged_batch_is_an_error_once(self):
        self.fill(10)
        self.cluster.fault("corrupt", "Fetch", times=1)
        consumer = self.consumer("t", consumer_timeout_ms=20000)
        with self.assertRaises(KafkaError) as caught:
            self.take(consumer, 10)
        self.assertEqual(caught.exception.name, "SLUICE_ERR_MALFORMED")
        consumer.seek(("t", 0), 0)
        self.assertEqual(len(self.take(consumer, 10)), 10)

    def test_misuse(self):
        consumer = self.consumer("t", group_id="g")
        with self.assertRaises(UsageError):
            consumer.assign([("t", 0)])
        consumer.close()
        consumer.close()
        for call in (lambda: consumer.poll(0), consumer.commit, lambda: consumer.subscribe(["t"])):
            with self.assertRaises(ClosedError):
                call()

    def test_ctrl_c_at_once(self):
        consumer = self.consumer("t", group_id="g")
        begin = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            interrupt_when_in("_sleep")
            consumer.poll(60)
        self.assertLess(time.monotonic() - begin, 30)
        self.fill(3)
        consumer._idle = 20
        self.assertEqual(len(self.take(consumer, 3)), 3)  # nothing is lost by it

    def test_ctrl_c_in_an_operation(self):
        self.cluster.fault("silent", "FindCoordinator", times=-1)
        consumer = self.consumer("t", group_id="g", request_timeout_ms=300)
        begin = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            interrupt_when_in("_wait_op")
            consumer.commit({("t", 0): 1}, timeout=60)
        self.assertLess(time.monotonic() - begin, 30)
        self.cluster.heal()

    def test_admin(self):
        with sluice.Admin(self.cluster.bootstrap_servers) as admin:
            admin.ready(10)
            admin.create_topic("new", partitions=3, settings={"retention.ms": 1000})
            self.assertEqual(admin.partitions_for("new"), {0, 1, 2})
            with self.assertRaises(KafkaError) as caught:
                admin.create_topic("new", partitions=3)
            self.assertEqual(caught.exception.name, "TOPIC_ALREADY_EXISTS")
            admin.delete_topic("new")
            names = {row["name"] for row in admin.metrics()}
            self.assertIn("connection-count", names)
            self.assertIn("broker", admin.dump())


if __name__ == "__main__":
    unittest.main()
