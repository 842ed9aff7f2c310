"""Goal: clients come and go without a trace: no leak, no order of collection that hurts, no process that stays.
Method: processes of their own where the end of one is looked at; counts of descriptors and memory."""
import ctypes
import gc
import itertools
import logging
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import sluice
from sluice import _abi
from sluice._library import Library, library
from sluice.testing import Cluster


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Life(unittest.TestCase):
    def test_the_prototypes_are_those_of_the_library(self):
        self.assertEqual(library().version_text().decode(), _abi.VERSION)
        self.assertEqual(ctypes.sizeof(_abi.Row), 48)

    def test_a_thousand_times_open_and_close(self):
        with Cluster() as cluster:
            cluster.create_topic("t")

            def one(number):
                producer = sluice.Producer(cluster.bootstrap_servers)
                consumer = sluice.Consumer("t", bootstrap_servers=cluster.bootstrap_servers, group_id="g")
                if number % 100 == 0:
                    producer.send("t", b"x").result(20)
                if number % 2:
                    producer.close(5)
                    consumer.close(5)
            for number in range(100):
                one(number)
            gc.collect()
            files, memory, threads = len(os.listdir("/proc/self/fd")), resident(), threading.active_count()
            for number in range(900):
                one(number)
            gc.collect()
            self.assertLessEqual(len(os.listdir("/proc/self/fd")), files + 4)
            self.assertLess(resident() - memory, 24 << 20)
            self.assertEqual(threading.active_count(), threads)

    def test_collected_in_any_order(self):
        for order in itertools.permutations(range(4)):
            cluster = Cluster()
            cluster.create_topic("t")
            producer = sluice.Producer(cluster.bootstrap_servers)
            sent = producer.send_many("t", [b"x"] * 10).wait(20)
            consumer = sluice.Consumer(bootstrap_servers=cluster.bootstrap_servers)
            consumer.assign([("t", 0, 0)])
            batch = consumer.poll(20)
            things = [cluster, producer, consumer, batch]
            del cluster, producer, consumer
            for index in order:
                things[index] = None
                gc.collect()
            self.assertEqual(batch.values(), [b"x"] * len(batch))
            self.assertTrue(sent.done())

    def test_a_cycle_is_collected(self):
        with Cluster() as cluster:
            producer = sluice.Producer(cluster.bootstrap_servers)
            producer.me = producer
            producer.send("t", b"x")
            del producer
            deadline = time.monotonic() + 10
            files = len(os.listdir("/proc/self/fd"))
            while len(os.listdir("/proc/self/fd")) >= files and time.monotonic() < deadline:
                gc.collect()
                time.sleep(0.01)
            self.assertLess(len(os.listdir("/proc/self/fd")), files)

    def test_two_copies_of_the_library(self):
        with tempfile.TemporaryDirectory() as folder, Cluster() as cluster:
            cluster.create_topic("t")
            path = shutil.copy(os.path.realpath(library().path), os.path.join(folder, "other.so"))
            other, out = Library(path), ctypes.c_void_p()
            settings = (ctypes.c_char_p * 3)(b"bootstrap.servers", cluster.bootstrap_servers.encode(), None)
            self.assertEqual(other.client_start(_abi.PRODUCER, settings, ctypes.byref(out)), 0)
            with sluice.Producer(cluster.bootstrap_servers) as producer:
                self.assertEqual(other.producer_send(out.value, b"t", None, 0, b"other", 5, 1000), 0)
                producer.send("t", b"own")
            self.assertEqual(other.client_close(out.value, 10000, None), 0)
            other.client_free(out.value)
            self.assertEqual(sorted(r.value for r in cluster.read("t")), [b"other", b"own"])

    @unittest.skipUnless(sys.platform == "linux", "other systems have no such flag")
    def test_the_library_stays_where_its_threads_are(self):
        """Node unloads its addons at the end, and with them what they loaded, while clients still run."""
        with tempfile.TemporaryDirectory() as folder, Cluster() as cluster:
            path = shutil.copy(os.path.realpath(library().path), os.path.join(folder, "other.so"))
            code = f"""if True:
                import _ctypes, ctypes, os
                handle = _ctypes.dlopen({path!r}, os.RTLD_NOW)
                start = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(
                    _ctypes.dlsym(handle, "sluice_client_start"))
                settings = (ctypes.c_char_p * 3)(b"bootstrap.servers", {cluster.bootstrap_servers!r}.encode(), None)
                client = ctypes.c_void_p()
                assert start({_abi.PRODUCER}, settings, ctypes.byref(client)) == 0
                _ctypes.dlclose(handle)
                _ctypes.dlopen({path!r}, os.RTLD_NOW | os.RTLD_NOLOAD)  # raises where it is gone
            """
            self.run_program(code)

    def run_program(self, code, timeout=30):
        begin = time.monotonic()
        done = subprocess.run([sys.executable, "-c", code], timeout=timeout, check=False, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout, time.monotonic() - begin

    def test_idle_clients_keep_no_process(self):
        with Cluster() as cluster:
            cluster.create_topic("t")
            servers = cluster.bootstrap_servers
            self.run_program(f"""
import sluice
p = sluice.Producer({servers!r}); p.send("t", b"x").result(20)
c = sluice.Consumer("t", bootstrap_servers={servers!r}, group_id="g", auto_offset_reset="earliest"); c.poll(20)
a = sluice.Admin({servers!r}); a.ready(20)
""")

    def test_idle_clients_cost_nothing(self):
        with Cluster() as cluster:
            cluster.create_topic("t")
            servers = cluster.bootstrap_servers
            told, _ = self.run_program(f"""
import sluice, time
p = sluice.Producer({servers!r}); p.send("t", b"x").result(20)
c = sluice.Consumer("t", bootstrap_servers={servers!r}, group_id="g"); c.poll(1)
cpu = time.process_time(); c.poll(2); print(time.process_time() - cpu)
""")
            self.assertLess(float(told), 0.2)

    def test_who_is_not_closed_leaves_its_group(self):
        """By the end of a program and by collection, with the record in hand coming again."""
        with Cluster() as cluster:
            cluster.create_topic("t")
            for i in range(20):
                cluster.append("t", b"%d" % i)
            read = f"""
import sluice
for r in sluice.Consumer("t", bootstrap_servers={cluster.bootstrap_servers!r}, group_id="g", auto_offset_reset="earliest"):
    if r.offset == LAST: break
print(r.offset)
"""
            begin = time.monotonic()
            self.run_program(read.replace("LAST", "5"))
            self.run_program(read.replace("LAST", "8") + "import gc; del r; gc.collect(); 1/1")
            consumer = sluice.Consumer("t", bootstrap_servers=cluster.bootstrap_servers, group_id="g")
            self.assertEqual(next(consumer).offset, 8)
            self.assertLess(time.monotonic() - begin, 30)  # no session had to time out
            consumer.close()

    def test_log_lines_go_to_logging(self):
        with self.assertLogs("sluice", logging.DEBUG) as logs:
            with sluice.Producer("127.0.0.1:1", linger_ms=0) as producer:
                with self.assertRaises(sluice.errors.TimeoutError):
                    producer.send("t", b"x").result(1)
                producer.discard()
                with self.assertRaises(sluice.KafkaError):
                    producer.flush(10)
        self.assertIn("127.0.0.1:1", "".join(logs.output))

    def test_a_token_is_asked_for(self):
        """By whoever waits; that brokers take it is the library's to test."""
        asked = []

        def token():
            asked.append(threading.current_thread())
            return "abc", 60.0
        settings = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "OAUTHBEARER", "oauth_token": token}
        with Cluster() as cluster, sluice.Admin(cluster.bootstrap_servers, **settings) as admin:
            with self.assertRaises(sluice.KafkaError):
                admin.ready(1)
        self.assertEqual(set(asked), {threading.current_thread()})

    def test_logins_are_for_those_who_have_them(self):
        with Cluster() as cluster, sluice.Admin(cluster.bootstrap_servers) as admin:
            for call in (lambda: admin.set_login("user", "secret"), lambda: admin.set_token("abc")):
                with self.assertRaises(sluice.errors.UsageError):
                    call()

    def test_errors_say_what_to_do(self):
        with sluice.Admin("127.0.0.1:1") as admin, self.assertRaises(sluice.KafkaError) as caught:
            admin.ready(0.5)
        self.assertIn("127.0.0.1:1", str(caught.exception))
        self.assertEqual(caught.exception.name, "SLUICE_ERR_UNREACHABLE")
        self.assertTrue(caught.exception.hint)

    def test_no_pickling(self):
        with Cluster() as cluster, sluice.Producer(cluster.bootstrap_servers) as producer:
            with self.assertRaises(TypeError):
                pickle.dumps(producer)

    def test_fork_of_a_consumer(self):
        with Cluster() as cluster:
            cluster.create_topic("t")
            cluster.append("t", b"x")
            consumer = sluice.Consumer(bootstrap_servers=cluster.bootstrap_servers)
            consumer.assign([("t", 0, 0)])
            child = os.fork()
            if child == 0:
                try:
                    consumer.poll(10)
                except sluice.errors.ForkedError:
                    os._exit(0)
                os._exit(1)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
            self.assertEqual(consumer.poll(20).values(), [b"x"])
            consumer.close()


if __name__ == "__main__":
    unittest.main()
