#!/usr/bin/env python3
"""Log aggregation: files that programs write to are followed, and every new line goes into a topic.

    python3 logs.py demo                              two programs that log, on the bundled broker
    python3 logs.py follow HOST:PORT TOPIC FILE...    follows files until Ctrl-C
    python3 logs.py show HOST:PORT TOPIC              prints the topic until Ctrl-C

The key of a line is its file, so lines of one file keep their order; headers tell the host and the place in the file.
A line that was sent is not sent again within a run, whatever the broker does meanwhile.
"""
import asyncio
import os
import pathlib
import socket
import sys
import tempfile

from sluice import AsyncConsumer, AsyncProducer
from sluice.testing import Cluster


class Follower:
    """A file whose new lines are wanted; it may be rotated or cut, or not exist yet."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.file = None
        self.inode = None

    def read(self):
        """(place, line) of every line that was finished since the last time."""
        try:
            state = self.path.stat()
        except FileNotFoundError:
            return
        if self.file is None or state.st_ino != self.inode or state.st_size < self.file.tell():
            if self.file is not None:
                self.file.close()
            self.file, self.inode = open(self.path, "rb"), state.st_ino
        while True:
            place = self.file.tell()
            line = self.file.readline()
            if not line.endswith(b"\n"):
                self.file.seek(place)
                return
            yield place, line[:-1]


async def follow(servers, topic, paths, stop=None):
    host, count = socket.gethostname().encode(), 0
    followers = [Follower(path) for path in paths]
    async with AsyncProducer(servers, compression_type="lz4") as producer:
        while True:
            is_last = stop is not None and stop.is_set()
            for follower in followers:
                sent = [producer.send(topic, line, key=str(follower.path),
                                      headers={"host": host, "place": b"%d" % place})
                        for place, line in follower.read()]
                for future in sent:  # a line that did not make it is an error here, not a line less
                    await future
                count += len(sent)
            if is_last:
                return count
            await asyncio.sleep(0.05)


async def show(servers, topic, count=None):
    lines = []
    async with AsyncConsumer(topic, bootstrap_servers=servers, group_id="show", auto_offset_reset="earliest") as consumer:
        async for record in consumer:
            lines.append((os.path.basename(record.key.decode()), record.value.decode(errors="replace")))
            print(f"{lines[-1][0]} {record.header('place').decode():>6}: {lines[-1][1]}", flush=True)
            if len(lines) == count:
                return lines


async def demo():
    """Two programs write 50 lines each, one file is rotated in the middle, and all of it has to arrive in order."""
    with Cluster() as cluster, tempfile.TemporaryDirectory() as folder:
        cluster.create_topic("logs", 2)
        paths, stop = [os.path.join(folder, name) for name in ("web.log", "db.log")], asyncio.Event()
        task = asyncio.create_task(follow(cluster.bootstrap_servers, "logs", paths, stop))
        for i in range(50):
            for path in paths:
                with open(path, "a", encoding="utf-8") as file:
                    file.write(f"line {i}\n")
            if i == 25:
                await asyncio.sleep(0.3)  # the follower has read it
                os.rename(paths[0], paths[0] + ".1")
            await asyncio.sleep(0.002)
        stop.set()
        sent = await task
        lines = await show(cluster.bootstrap_servers, "logs", sent)
        for name in ("web.log", "db.log"):
            own = [line for file, line in lines if file == name]
            assert own == [f"line {i}" for i in range(50)], (name, own)
        print(f"{sent} lines of 2 files arrived, each file's in order")


def main():
    command, *arguments = sys.argv[1:] or ["demo"]
    try:
        if command == "demo":
            asyncio.run(demo())
        elif command == "follow":
            asyncio.run(follow(arguments[0], arguments[1], arguments[2:]))
        elif command == "show":
            asyncio.run(show(*arguments))
        else:
            sys.exit(__doc__)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
