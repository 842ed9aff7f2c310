"""Goal: what a Python program sends arrives as it was sent, once, and each record's outcome is told truthfully.
Method: the bundled broker, whose log is read back; faults where outcomes differ."""
import os
import subprocess
import sys
import threading
import time
import unittest

import sluice
from sluice.errors import (BufferFull, ClosedError, ConfigError, DeliveryError, ForkedError, MaybeWritten, NotWritten,
                           TimeoutError, UsageError)
from sluice.testing import Cluster
from support import interrupt_when_in


class Produce(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster()
        self.addCleanup(self.cluster.close)
        self.cluster.create_topic("t", 2)

    def producer(self, **settings):
        producer = sluice.Producer(self.cluster.bootstrap_servers, **settings)
        self.addCleanup(self.close, producer)
        return producer

    @staticmethod
    def close(producer):
        try:
            producer.close(1)
        except sluice.KafkaError:
            pass

    def stored(self, partition=0):
        return self.cluster.read("t", partition)

    def test_everything_that_a_record_has(self):
        with self.producer() as producer:
            sent = producer.send("t", b"value", key=b"key", headers={"a": b"1", "b": None}, partition=1,
                                 timestamp_ms=1700000000000)
            self.assertEqual(sent.result(10)[:3], ("t", 1, 0))
        record, = self.stored(1)
        self.assertEqual((record.key, record.value, record.timestamp), (b"key", b"value", 1700000000000))
        self.assertEqual(record.headers, [("a", b"1"), ("b", None)])

    def test_text_none_and_empty(self):
        with self.producer() as producer:
            for value in ("grün", None, b"", bytearray(b"array"), memoryview(b"view")):
                producer.send("t", value, partition=0)
        self.assertEqual([r.value for r in self.stored()], ["grün".encode(), None, b"", b"array", b"view"])

    def test_headers_keep_order_and_duplicates(self):
        pairs = [("z", b"1"), ("a", b"2"), ("z", b"3")]
        with self.producer() as producer:
            producer.send("t", b"v", headers=pairs, partition=0)
        self.assertEqual(self.stored()[0].headers, pairs)
        self.assertEqual(self.stored()[0].header("z"), b"3")

    def test_headers_of_every_size(self):
        pairs = [("n" * size, b"v" * size) for size in (1, 63, 64, 127, 128, 255, 256, 8191, 8192, 20000)] + [("e", b"")]
        with self.producer() as producer:
            producer.send("t", b"v", headers=pairs, partition=0)
            for wrong in ({"": b"x"}, b"raw", [("a", 5)]):
                with self.assertRaises((ValueError, TypeError)):
                    producer.send("t", b"v", headers=wrong)
        self.assertEqual(self.stored()[0].headers, pairs)

    def test_keys_and_none_in_turn(self):
        with self.producer() as producer:
            for i in range(100):
                producer.send("t", b"%d" % i, key=None if i % 3 == 0 else b"k" if i % 3 == 1 else "text")
        found = {r.value: r.key for p in (0, 1) for r in self.stored(p)}
        self.assertEqual(found, {b"%d" % i: (None, b"k", b"text")[i % 3] for i in range(100)})

    def test_serializers(self):
        with self.producer(value_serializer=lambda v: str(v), key_serializer=lambda k: b"%d" % k) as producer:
            producer.send("t", [1], key=7, partition=0)
            producer.send_many("t", [2, None], keys=[8, None], partition=0)
            producer.send("t", b"raw", partition=0)  # bytes are for the serializer too
        self.assertEqual([(r.key, r.value) for r in self.stored()],
                         [(b"7", b"[1]"), (b"8", b"2"), (None, None), (None, b"b'raw'")])

    def test_what_is_neither_bytes_nor_text_is_refused(self):
        producer = self.producer()
        with self.assertRaises(TypeError):
            producer.send("t", 5)
        with self.assertRaises(TypeError):
            producer.send_many("t", [b"a", 5])
        for arguments in ({"topic": 7}, {"topic": "t", "partition": "x"}, {"topic": "t", "timestamp_ms": 1.5}):
            with self.assertRaises(TypeError):
                producer.send(value=b"x", **arguments)
        for arguments in ({"partition": -1}, {"partition": 2**31}, {"timestamp_ms": 2**63}):
            with self.assertRaises(ValueError):
                producer.send("t", b"x", **arguments)
        producer.flush(10)
        self.assertEqual(producer.counts().written, 0)

    def test_ctrl_c_while_the_buffer_is_full_loses_nothing(self):
        self.cluster.broker(1, "frozen")
        producer = self.producer(buffer_memory=65536, request_timeout_ms=2000)
        count = 0
        with self.assertRaises(KeyboardInterrupt):
            interrupt_when_in("_sleep")  # for room
            for count in range(100000):
                producer.send("t", b"%d" % count, partition=0)
        self.cluster.broker(1, "up")
        producer.flush(30)
        self.assertEqual([r.value for r in self.stored()], [b"%d" % i for i in range(count + 1)])

    def test_order_of_one_thread(self):
        with self.producer() as producer:
            for i in range(3000):
                producer.send("t", b"%d" % i, partition=i % 2)
                if i % 700 == 0:
                    producer.send_many("t", [b"%d bulk" % i] * 3, partition=0)
        expected = []
        for i in range(3000):
            if i % 2 == 0:
                expected.append(b"%d" % i)
            expected += [b"%d bulk" % i] * 3 * (i % 700 == 0)
        self.assertEqual([r.value for r in self.stored()], expected)

    def test_send_many_with_all_columns(self):
        keys = [b"k%d" % i if i % 3 else None for i in range(5000)]
        values = [b"v%d" % i if i % 5 else None for i in range(5000)]
        headers = [{"n": b"%d" % i} if i % 7 == 0 else None for i in range(5000)]
        with self.producer() as producer:
            done = producer.send_many("t", values, keys, headers, timestamps_ms=range(10**12, 10**12 + 5000))
            where = done.result(20)
            self.assertEqual((len(done), done.failed()), (5000, []))
        stored = {(p, r.offset): r for p in (0, 1) for r in self.stored(p)}
        self.assertEqual(len(stored), 5000)
        for i, metadata in enumerate(where):
            record = stored[metadata.partition, metadata.offset]
            self.assertEqual((record.key, record.value, record.timestamp), (keys[i], values[i], 10**12 + i))
            self.assertEqual(record.header("n"), b"%d" % i if i % 7 == 0 else None)

    def test_partitions_in_turn(self):
        """By send and as a column of send_many, with None for those that their key places."""
        wanted = [i % 2 if i % 3 else None for i in range(3000)]
        chosen = self.producer().partition_of(b"key", 2)
        for is_bulk in (False, True):
            with self.producer() as producer:
                values = [b"%d %d" % (is_bulk, i) for i in range(3000)]
                if is_bulk:
                    told = producer.send_many("t", values, [b"key"] * 3000, partitions=wanted).result(20)
                else:
                    sent = [producer.send("t", v, b"key", partition=p) for v, p in zip(values, wanted)]
                    told = [delivery.result(20) for delivery in sent]
            self.assertEqual([m.partition for m in told], [chosen if p is None else p for p in wanted])
            stored = {(p, r.offset): r.value for p in (0, 1) for r in self.stored(p)}
            self.assertEqual([stored[m.partition, m.offset] for m in told], values)
        for wrong, error in (([0, -1], ValueError), ([0], ValueError), ([0, "x"], TypeError)):
            with self.assertRaises(error):
                self.producer().send_many("t", [b"a", b"b"], partitions=wrong)
        with self.assertRaises(ValueError):
            self.producer().send_many("t", [b"a"], partition=0, partitions=[0])

    def test_results_of_every_record_tell_its_place(self):
        producer = self.producer()
        sent = [producer.send("t", b"%d" % i, key=b"%d" % (i % 11)) for i in range(1500)]
        places = [delivery.result(10) for delivery in sent]
        stored = {(p, r.offset): r.value for p in (0, 1) for r in self.stored(p)}
        self.assertEqual([stored[m.partition, m.offset] for m in places], [b"%d" % i for i in range(1500)])
        self.assertTrue(all(delivery.done() and delivery.exception() is None for delivery in sent))

    def test_nobody_flushes_and_it_is_sent(self):
        producer = self.producer()
        producer.send("t", b"alone")
        self.cluster.wait_for("Produce", 1, 10)
        deadline = time.monotonic() + 10
        while producer.counts().written < 1 and time.monotonic() < deadline:
            time.sleep(0.005)
        self.assertEqual(producer.counts().written, 1)

    def test_a_waited_result_does_not_linger(self):
        producer = self.producer(linger_ms=60000, delivery_timeout_ms=120000)
        self.assertEqual(producer.send("t", b"now", partition=0).result(20).offset, 0)

    def test_four_threads(self):
        producer, sent, lock = self.producer(), [], threading.Lock()

        def work(number):
            mine = [(b"%d %d" % (number, i), producer.send("t", b"%d %d" % (number, i), partition=0))
                    for i in range(2000)]
            if number == 0:
                producer.flush(20)
            with lock:
                sent.extend(mine)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        producer.flush(20)
        stored = {r.offset: r.value for r in self.stored()}
        self.assertEqual(len(stored), 8000)
        for value, delivery in sent:
            self.assertEqual(stored[delivery.result(20).offset], value)
        for number in range(4):  # each thread's order is kept
            own = [int(v.split()[1]) for v in stored.values() if v.startswith(b"%d " % number)]
            self.assertEqual(own, list(range(2000)))

    def test_a_record_that_is_too_big_is_told_and_harms_no_other(self):
        producer = self.producer()
        before, big, after = (producer.send("t", v, partition=0) for v in (b"a", b"b" * 2_000_000, b"c"))
        with self.assertRaises(DeliveryError) as caught:
            big.result(10)
        self.assertEqual(caught.exception.name, "SLUICE_ERR_TOO_BIG")
        self.assertEqual((before.result(10).offset, after.result(10).offset), (0, 1))
        producer.flush(10)  # the program was told
        producer.send("t", b"b" * 2_000_000)
        with self.assertRaises(sluice.KafkaError) as caught:
            producer.flush(10)
        self.assertEqual(caught.exception.name, "SLUICE_ERR_TOO_BIG")
        producer.flush(10)

    def test_a_bulk_tells_which_failed(self):
        producer = self.producer()
        done = producer.send_many("t", [b"a", b"b" * 2_000_000, b"c"], partition=0)
        (place, error), = done.failed(10)
        self.assertEqual((place, error.name), (1, "SLUICE_ERR_TOO_BIG"))
        with self.assertRaises(DeliveryError):
            done.result(10)

    def test_refused_by_the_broker(self):
        self.cluster.fault("error", "Produce", code=29)  # not authorised
        producer = self.producer()
        with self.assertRaises(NotWritten) as caught:
            producer.send("t", b"x").result(10)
        self.assertEqual((caught.exception.code, caught.exception.name), (29, "TOPIC_AUTHORIZATION_FAILED"))

    def test_lost_answers_are_asked_again_and_written_once(self):
        self.cluster.fault("cut_after", "Produce", times=2)
        with self.producer(retry_backoff_ms=10) as producer:
            producer.send_many("t", [b"%d" % i for i in range(100)], partition=0).result(20)
        self.assertEqual([r.value for r in self.stored()], [b"%d" % i for i in range(100)])

    def test_nobody_knows(self):
        self.cluster.fault("silent", "Produce", times=-1)
        producer = self.producer(delivery_timeout_ms=600, request_timeout_ms=500, linger_ms=0)
        with self.assertRaises(MaybeWritten):
            producer.send("t", b"x").result(20)

    def test_timeouts(self):
        self.cluster.broker(1, "frozen")
        producer = self.producer()
        sent = producer.send("t", b"x")
        with self.assertRaises(TimeoutError):
            sent.result(0.05)
        with self.assertRaises(TimeoutError):
            producer.flush(0.05)
        self.assertTrue(issubclass(TimeoutError, __builtins__["TimeoutError"] if isinstance(__builtins__, dict)
                                   else __builtins__.TimeoutError))

    def test_a_full_buffer_blocks_and_then_says_so(self):
        self.cluster.broker(1, "frozen")
        producer = self.producer(buffer_memory=65536, max_block_ms=100)
        with self.assertRaises(BufferFull) as caught:
            for _ in range(5000):
                producer.send("t", b"x" * 1000)
        self.assertTrue(caught.exception.retriable)

    def test_a_full_buffer_goes_on_when_there_is_room(self):
        with self.producer(buffer_memory=65536) as producer:
            producer.send_many("t", [b"x" * 500] * 2000).result(30)
            self.assertEqual(producer.counts().written, 2000)

    def test_without_reports(self):
        producer = self.producer(delivery_reports="none")
        sent = producer.send("t", b"x")
        with self.assertRaises(UsageError):
            sent.result(1)
        producer.flush(10)
        self.assertEqual(len(self.stored(0)) + len(self.stored(1)), 1)

    def test_closed(self):
        producer = self.producer()
        producer.close()
        producer.close()
        with self.assertRaises(ClosedError):
            producer.send("t", b"x")
            producer.flush()
        with self.assertRaises(ClosedError):
            producer.send_many("t", [b"x"])

    def test_settings(self):
        with self.assertRaises(ConfigError) as caught:
            sluice.Producer("localhost:9092", lingr_ms=5, acks="some")
        self.assertIn("linger.ms", str(caught.exception))
        self.assertIn("acks", str(caught.exception))
        with sluice.Producer({"bootstrap.servers": self.cluster.bootstrap_servers, "linger.ms": 0}) as producer:
            producer.send("t", b"x").get(timeout=10)
        with sluice.Producer(bootstrap_servers=[self.cluster.bootstrap_servers], acks=1, retries=3) as producer:
            self.assertEqual(producer.partitions_for("t"), {0, 1})

    def test_fork(self):
        producer = self.producer()
        producer.send("t", b"parent", partition=0)
        child = os.fork()
        if child == 0:
            try:
                producer.send("t", b"child", partition=0)
                producer.flush()
            except ForkedError:
                try:
                    with sluice.Producer(self.cluster.bootstrap_servers) as own:  # one of its own works
                        own.send("t", b"grandchild", partition=0).result(10)
                    os._exit(0)
                except BaseException:
                    os._exit(2)
            os._exit(1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        producer.flush(10)
        self.assertEqual(sorted(r.value for r in self.stored()), [b"grandchild", b"parent"])

    def test_the_end_of_a_program_sends_what_is_queued(self):
        code = f"import sluice; sluice.Producer({self.cluster.bootstrap_servers!r}).send('t', b'last', partition=0)"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
        self.assertEqual([r.value for r in self.stored()], [b"last"])

    def test_the_same_partition_as_java(self):
        producer = self.producer()
        self.assertEqual([producer.partition_of(k, 1000) for k in (b"21", b"foobar", b"")],
                         [(m & 0x7fffffff) % 1000 for m in (-973932308, -790332482, 275646681)])


if __name__ == "__main__":
    unittest.main()
