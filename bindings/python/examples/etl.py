#!/usr/bin/env python3
"""ETL: a table of SQLite goes into a topic, and from there, changed, into a table of another database.

    python3 etl.py          on the bundled broker, with a crash in the middle

The offset up to which the target has everything is kept in the target itself, in the transaction that writes the rows.
So a crash between any two steps neither loses nor doubles a row: the loader begins where its database says.
"""
import json
import os
import sqlite3
import tempfile

from sluice import Consumer, Producer
from sluice.testing import Cluster

TOPIC, ROWS = "customers", 20000


def extract(path, servers):
    """Every row of the source as JSON, its id as the key."""
    source = sqlite3.connect(path)
    with Producer(servers, compression_type="zstd") as producer:
        rows = source.execute("SELECT id, name, cents FROM customers ORDER BY id")
        count = 0
        while chunk := rows.fetchmany(5000):
            keys = [str(row[0]) for row in chunk]
            values = [json.dumps({"name": name, "cents": cents}) for _, name, cents in chunk]
            producer.send_many(TOPIC, values, keys)
            count += len(chunk)
        producer.flush()  # raises unless every one of them is written
    source.close()
    return count


class Crash(Exception):
    pass


def load(path, servers, crash_after=None):
    """Reads to the end of the topic; returns how many rows this run wrote."""
    target = sqlite3.connect(path)
    target.executescript("""
        CREATE TABLE IF NOT EXISTS totals (id INTEGER PRIMARY KEY, name TEXT, euros REAL, seen INTEGER DEFAULT 0);
        CREATE TABLE IF NOT EXISTS places (partition INTEGER PRIMARY KEY, next INTEGER);""")
    places = dict(target.execute("SELECT partition, next FROM places"))
    written = 0
    with Consumer(bootstrap_servers=servers) as consumer:
        partitions = consumer.partitions_for(TOPIC)
        consumer.assign([(TOPIC, p, places.get(p, 0)) for p in partitions])
        ends = {place.partition: end for place, end in consumer.end_offsets(*((TOPIC, p) for p in partitions)).items()}
        while any(places.get(p, 0) < end for p, end in ends.items()):
            batch = consumer.poll(20)
            if batch is None:
                raise TimeoutError("the topic has stopped")
            with target:  # one transaction: the rows and how far they go
                for place, first, count in batch.parts():
                    places[place.partition] = batch.offsets[first + count - 1] + 1
                for key, value in zip(batch.keys(), map(json.loads, batch.values())):
                    target.execute("""INSERT INTO totals VALUES (?, ?, ?, 1)
                        ON CONFLICT (id) DO UPDATE SET seen = seen + 1""",
                                   (int(key), value["name"].title(), value["cents"] / 100))
                target.executemany("INSERT OR REPLACE INTO places VALUES (?, ?)", places.items())
            written += len(batch)
            if crash_after is not None and written >= crash_after:
                raise Crash
    target.close()
    return written


def main():
    with Cluster() as cluster, tempfile.TemporaryDirectory() as folder:
        cluster.create_topic(TOPIC, 3)
        source, target = os.path.join(folder, "source.db"), os.path.join(folder, "target.db")
        with sqlite3.connect(source) as database:
            database.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, cents INTEGER)")
            database.executemany("INSERT INTO customers VALUES (?, ?, ?)",
                                 ((i, f"customer {i}", i * 7) for i in range(ROWS)))
        print(f"{extract(source, cluster.bootstrap_servers)} rows sent")
        try:
            load(target, cluster.bootstrap_servers, crash_after=ROWS // 3)
        except Crash:
            print("the loader crashes, and starts again")
        print(f"{load(target, cluster.bootstrap_servers)} rows by the second run")
        count, euros, most = sqlite3.connect(target).execute(
            "SELECT count(*), sum(euros), max(seen) FROM totals").fetchone()
        assert (count, round(euros, 2), most) == (ROWS, sum(i * 7 for i in range(ROWS)) / 100, 1), (count, euros, most)
        print(f"{count} rows in the target, each once")


if __name__ == "__main__":
    main()
