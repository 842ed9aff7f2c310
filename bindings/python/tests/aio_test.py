"""Goal: producer and consumer live in an event loop: nothing blocks it, nothing spins, a cancel loses nothing.
Method: asyncio on the bundled broker."""
import asyncio
import time
import unittest

import sluice
from sluice.errors import ClosedError, KafkaError, MaybeWritten, NotWritten
from sluice.testing import Cluster


class Aio(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.cluster = Cluster()
        self.addCleanup(self.cluster.close)
        self.cluster.create_topic("t", 2)

    def producer(self, **settings):
        return sluice.AsyncProducer(self.cluster.bootstrap_servers, **settings)

    def consumer(self, *topics, **settings):
        settings.setdefault("auto_offset_reset", "earliest")
        return sluice.AsyncConsumer(*topics, bootstrap_servers=self.cluster.bootstrap_servers, **settings)

    async def test_there_and_back(self):
        async with self.producer() as producer:
            self.assertEqual((await producer.send("t", b"0", partition=0)).offset, 0)
            self.assertEqual((await producer.send_and_wait("t", "1", partition=0, headers={"a": b"b"})).offset, 1)
            done = await asyncio.gather(*(producer.send("t", b"%d" % i, partition=0) for i in range(2, 1000)))
            self.assertEqual([m.offset for m in done], list(range(2, 1000)))
            bulk = await producer.send_many("t", [b"%d" % i for i in range(1000, 9000)], partition=0)
            self.assertEqual(bulk[-1].offset, 8999)
            await producer.flush()
        found = []
        async with self.consumer("t", group_id="g") as consumer:
            async for record in consumer:
                found.append(record)
                if len(found) == 9000:
                    break
        self.assertEqual([r.value for r in found], [b"%d" % i for i in range(9000)])
        async with self.consumer("t", group_id="g") as consumer:
            self.assertEqual(await consumer.resolve({("t", 0): "committed"}), {("t", 0): 9000})

    async def test_batches_and_commit(self):
        for i in range(20):
            self.cluster.append("t", b"%d" % i)
        async with self.consumer("t", group_id="g", enable_auto_commit=False) as consumer:
            async for batch in consumer.batches(max_records=8):
                if batch.offsets[0] == 8:
                    await consumer.commit()
                    break
            self.assertEqual(await consumer.committed(("t", 0)), {("t", 0): 16})

    async def test_an_awaited_send_does_not_linger(self):
        async with self.producer(linger_ms=60000, delivery_timeout_ms=120000) as producer:
            begin = time.monotonic()
            for _ in range(20):
                await producer.send("t", b"x")
            self.assertLess(time.monotonic() - begin, 10)

    async def test_failures(self):
        async with self.producer() as producer:
            self.cluster.fault("error", "Produce", code=29)
            with self.assertRaises(NotWritten):
                await producer.send("t", b"x")
            with self.assertRaises(KafkaError) as caught:
                await producer.send("t", b"x" * 2_000_000)
            self.assertEqual(caught.exception.name, "SLUICE_ERR_TOO_BIG")
            await producer.send("t", b"fine")
            with self.assertRaises(KafkaError):
                await producer.flush()
        with self.assertRaises(ClosedError):
            await producer.send("t", b"x")

    async def test_a_full_buffer_blocks_no_loop(self):
        async with self.producer(buffer_memory=65536) as producer:
            worst, done = 0.0, asyncio.gather(*(producer.send("t", b"x" * 500, partition=0) for _ in range(2000)))
            bulk = asyncio.create_task(producer.send_many("t", [b"y" * 500] * 2000, partition=1))
            self.cluster.broker(1, "frozen")
            for _ in range(20):
                begin = time.monotonic()
                await asyncio.sleep(0.01)
                worst = max(worst, time.monotonic() - begin)
            self.cluster.broker(1, "up")
            self.assertEqual([m.offset for m in await asyncio.wait_for(done, 40)], list(range(2000)))
            self.assertEqual([m.offset for m in await asyncio.wait_for(bulk, 40)], list(range(2000)))
            self.assertLess(worst, 5)  # it would have been a minute

    async def test_admin(self):
        async with self.producer() as producer:
            await producer.ready(10)
            await producer.create_topic("new", 3)
            self.assertEqual(await producer.partitions_for("new", 10), {0, 1, 2})
            await producer.delete_topic("new")
            self.assertTrue(await producer.metrics())

    async def test_close_decides_every_future(self):
        self.cluster.fault("silent", "Produce", times=-1)
        producer = self.producer(linger_ms=0)
        futures = [producer.send("t", b"x") for _ in range(10)]
        await asyncio.get_running_loop().run_in_executor(None, self.cluster.wait_for, "Produce", 1)
        with self.assertRaises(KafkaError):
            await producer.close(0.3)
        self.assertEqual({type(f.exception()) for f in futures}, {MaybeWritten})

    async def test_a_cancelled_poll_loses_nothing(self):
        async with self.consumer("t", group_id="g") as consumer:
            for i in range(20):
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(consumer.poll(), 0.02)
            task = asyncio.create_task(consumer.poll())
            await asyncio.sleep(0.01)
            task.cancel()
            for i in range(30):
                self.cluster.append("t", b"%d" % i)
            found = []
            while len(found) < 30:
                found += (await asyncio.wait_for(consumer.poll(), 20)).values()
            self.assertEqual(found, [b"%d" % i for i in range(30)])

    async def test_a_cancelled_send_is_sent(self):
        async with self.producer() as producer:
            producer.send("t", b"x", partition=0).cancel()
            await producer.send("t", b"y", partition=0)
        self.assertEqual([r.value for r in self.cluster.read("t")], [b"x", b"y"])

    async def test_the_loop_goes_on(self):
        """Nothing of it blocks the loop, with records that nobody wants and a consumer that waits."""
        for i in range(100):
            self.cluster.append("t", b"%d" % i)
        async with self.consumer("t", group_id="g") as busy, self.consumer("nothing", group_id="h") as idle:
            self.assertIsNotNone(await busy.poll(20))
            waiting = asyncio.create_task(idle.poll(1.5))
            cpu = time.process_time()
            for _ in range(15):
                begin = time.monotonic()
                await asyncio.sleep(0.1)
                self.assertLess(time.monotonic() - begin, 2)
            self.assertLess(time.process_time() - cpu, 0.5)  # neither spins
            self.assertIsNone(await waiting)

    async def test_many_tasks_at_once(self):
        async def one(producer, number):
            return [(await producer.send("t", b"%d %d" % (number, i), partition=0)).offset for i in range(20)]
        async with self.producer() as producer:
            places = await asyncio.gather(*(one(producer, n) for n in range(50)))
        self.assertEqual(sorted(sum(places, [])), list(range(1000)))
        self.assertTrue(all(p == sorted(p) for p in places))

    async def test_without_a_group(self):
        self.cluster.append("t", b"x")
        async with self.consumer("t") as consumer:
            self.assertEqual((await consumer.poll(20)).values(), [b"x"])


if __name__ == "__main__":
    unittest.main()
