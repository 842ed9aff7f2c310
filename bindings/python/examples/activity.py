#!/usr/bin/env python3
"""Activity tracking: what visitors do goes into a topic; reports are made of any time span by reading it again.

    python3 activity.py     on the bundled broker: an hour of clicks, and the report of its last ten minutes

A visitor is the key, so one visitor's clicks keep their order. Where a time begins is asked of the brokers, which look
it up in the records' timestamps; nothing older is read.
"""
import collections
import datetime
import json
import random

from sluice import Consumer, Producer
from sluice.testing import Cluster

TOPIC, PARTITIONS, CLICKS = "clicks", 4, 3600
START = datetime.datetime(2030, 1, 1, 12, 0, tzinfo=datetime.timezone.utc)


def track(servers):
    """A click a second, each with the time when it happened."""
    dice, pages = random.Random(7), ["/", "/shop", "/cart", "/pay"]
    clicks = [(f"visitor {dice.randrange(200)}", dice.choice(pages)) for _ in range(CLICKS)]
    begin = int(START.timestamp() * 1000)
    with Producer(servers) as producer:
        producer.send_many(TOPIC, [json.dumps({"page": page}) for _, page in clicks], [who for who, _ in clicks],
                           timestamps_ms=[begin + i * 1000 for i in range(CLICKS)])
        producer.flush()
    return clicks


def replay(servers, since):
    """How often each page was seen since then, and how many records had to be read for it."""
    pages, read = collections.Counter(), 0
    with Consumer(bootstrap_servers=servers) as consumer:
        places = [(TOPIC, p) for p in range(PARTITIONS)]
        starts = consumer.resolve({place: since for place in places})
        ends = consumer.end_offsets(*places)
        left = sum(ends[place] - start for place, start in starts.items() if start >= 0)
        consumer.assign([(*place, starts[place]) for place in places if starts[place] >= 0])
        while read < left:
            batch = consumer.poll(20)
            if batch is None:
                raise TimeoutError("the topic has stopped")
            read += len(batch)
            pages.update(json.loads(value)["page"] for value in batch.values())
    return pages, read


def main():
    with Cluster() as cluster:
        cluster.create_topic(TOPIC, PARTITIONS)
        clicks = track(cluster.bootstrap_servers)
        since = START + datetime.timedelta(minutes=50)
        pages, read = replay(cluster.bootstrap_servers, since)
        print(f"{len(clicks)} clicks; {read} since {since:%H:%M}:")
        for page, count in pages.most_common():
            print(f"  {page:8} {count}")
        assert pages == collections.Counter(page for _, page in clicks[3000:]), pages
        pages, read = replay(cluster.bootstrap_servers, START)
        assert pages == collections.Counter(page for _, page in clicks) and read == CLICKS


if __name__ == "__main__":
    main()
