'use strict';
/* Goal: what is stored is handed out once, in order, and what was processed is what is committed.
 * Method: a bundled cluster for each test; a second consumer shows what the first one finished. */
const test = require('node:test');
const assert = require('node:assert/strict');
const { makeCluster, makeConsumer, makeProducer, take, until } = require('./support.js');

function fill(cluster, count, { topic = 't', partition = 0, from = 0 } = {}) {
    for (let i = from; i < from + count; i++) cluster.append(topic, `${i}`, { partition, key: `k${i}` });
}
const texts = (records) => records.map((record) => record.text());
const range = (from, to) => Array.from({ length: to - from }, (_, i) => `${from + i}`);

test('records one by one, of partitions that are assigned', async (t) => {
    const cluster = makeCluster(t, { topics: { t: 2 } });
    fill(cluster, 5);
    fill(cluster, 5, { partition: 1, from: 100 });
    const consumer = makeConsumer(t, cluster);
    consumer.assign([{ topic: 't', partition: 0, offset: 2 }, { topic: 't', partition: 1, offset: 'earliest' }]);
    const records = await take(consumer, 8);
    assert.deepEqual(texts(records.filter((r) => r.partition === 0)), range(2, 5));
    assert.deepEqual(texts(records.filter((r) => r.partition === 1)), range(100, 105));
    const [first] = records.filter((r) => r.partition === 0);
    assert.deepEqual([first.topic, first.offset, first.key.toString(), first.size, first.headers], ['t', 2n, 'k2', 3, {}]);
    assert.deepEqual(consumer.assignment(), [{ topic: 't', partition: 0 }, { topic: 't', partition: 1 }]);
});

test('a group goes on where the one before was finished', async (t) => {
    const cluster = makeCluster(t);
    fill(cluster, 10);
    const first = makeConsumer(t, cluster, { groupId: 'g', topics: ['t'] });
    assert.deepEqual(texts(await take(first, 4)), range(0, 4));
    await first.close();
    const second = makeConsumer(t, cluster, { groupId: 'g', topics: 't' });
    assert.deepEqual(texts(await take(second, 6)), range(4, 10));
});

test('a loop that is left in the middle of a record leaves it unprocessed', async (t) => {
    const cluster = makeCluster(t);
    fill(cluster, 10);
    const first = makeConsumer(t, cluster, { groupId: 'g', topics: ['t'] });
    await assert.rejects(async () => {
        for await (const record of first) if (record.text() === '3') throw new Error('no');
    }, /no/);
    /* The same consumer goes on there too. */
    assert.deepEqual(texts(await take(first, 2)), range(3, 5));
    await first.close();
    const second = makeConsumer(t, cluster, { groupId: 'g', topics: ['t'] });
    assert.deepEqual(texts(await take(second, 5)), range(5, 10));
});

test('batches: values in one go, and what is processed is finished by the next turn of the loop', async (t) => {
    const cluster = makeCluster(t, { topics: { t: 3 } });
    const producer = makeProducer(t, cluster);
    const values = Array.from({ length: 9000 }, (_, i) => `value ${i}`);
    await producer.sendMany('t', values, { keys: values });
    const consumer = makeConsumer(t, cluster, { groupId: 'g', topics: ['t'], enableAutoCommit: false });
    const seen = new Map();
    for await (const batch of consumer.batches()) {
        assert.equal(batch.partitions.reduce((sum, part) => sum + part.count, 0), batch.length);
        for (const part of batch.partitions) {
            const own = batch.values(part);
            own.forEach((value, i) => {
                const at = part.start + i;
                assert.equal(batch.key(at).toString(), value.toString());
                assert.equal(batch.partitionOf(at), part);
                seen.set(`${part.partition}:${batch.offset(at)}`, value.toString());
            });
            assert.equal(batch.offset(part.start), part.firstOffset);
        }
        if (seen.size === 9000) {
            batch.finish();
            break;
        }
    }
    assert.deepEqual([...seen.values()].sort(), [...values].sort());
    const committed = await consumer.commit();
    assert.equal(committed.reduce((sum, { offset }) => sum + Number(offset), 0), 9000);
});

test('large records, and records far larger than those before', async (t) => {
    const cluster = makeCluster(t, { settings: { messageMaxBytes: 8e6 } });
    const producer = makeProducer(t, cluster, { maxRequestSize: 8e6 });
    const sizes = [10, 20, 700000, 5, 3, 5000000, 100, 0, 1000000];
    for (const size of sizes) await producer.send('t', Buffer.alloc(size, size % 251));
    const consumer = makeConsumer(t, cluster);
    consumer.assign([{ topic: 't', partition: 0, offset: 0n }]);
    const records = await take(consumer, sizes.length);
    assert.deepEqual(records.map((r) => r.value.length), sizes);
    for (const { value } of records) assert.ok(value.every((byte) => byte === value.length % 251));
});

for (const compression of ['gzip', 'snappy', 'lz4', 'zstd']) {
    test(`what was compressed with ${compression}`, async (t) => {
        const cluster = makeCluster(t);
        const producer = makeProducer(t, cluster, { compressionType: compression });
        await producer.sendMany('t', range(0, 2000).map((text) => text.repeat(20)));
        const consumer = makeConsumer(t, cluster);
        consumer.assign([{ topic: 't', partition: 0, offset: 'earliest' }]);
        assert.deepEqual(texts(await take(consumer, 2000)), range(0, 2000).map((text) => text.repeat(20)));
    });
}

test('records stay readable after their batch was given back and the client is closed', async (t) => {
    const cluster = makeCluster(t);
    fill(cluster, 3);
    const consumer = makeConsumer(t, cluster, { groupId: 'g', topics: ['t'] });
    const records = await take(consumer, 3);
    await consumer.close();
    cluster.close();
    assert.deepEqual(records.map((r) => [r.topic, r.partition, r.text()]), [['t', 0, '0'], ['t', 0, '1'], ['t', 0, '2']]);
});

test('mark and retry: what is not marked comes again', async (t) => {
    const cluster = makeCluster(t);
    fill(cluster, 10);
    const consumer = makeConsumer(t, cluster);
    consumer.assign([{ topic: 't', partition: 0, offset: 'earliest' }]);
    let batch = await consumer.poll();
    assert.equal(batch.mark(3), true);
    batch.retry();
    assert.throws(() => batch.mark(4), /given back/);
    batch = await consumer.poll();
    assert.equal(batch.text(0), '4');
    batch.finish();
    assert.equal(consumer.positions()[0].offset, 10n);
    assert.equal(consumer.positions()[0].lag, 0);
});

test('poll ends by its time, or when it is aborted', async (t) => {
    const cluster = makeCluster(t);
    const consumer = makeConsumer(t, cluster);
    consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
    assert.equal(await consumer.poll({ timeout: 20 }), null);
    assert.equal(await consumer.poll({ timeout: 0 }), null);
    const controller = new AbortController();
    const waiting = consumer.poll({ signal: controller.signal });
    await assert.rejects(consumer.poll(), { code: 'SLUICE_ERR_BUSY' });
    controller.abort();
    await assert.rejects(waiting, { name: 'AbortError' });
    await assert.rejects(consumer.poll({ signal: AbortSignal.timeout(10) }), { name: 'TimeoutError' });
    fill(cluster, 1);
    assert.equal((await consumer.poll()).length, 1);
});

test('iterators are aborted, and go on afterwards', async (t) => {
    const cluster = makeCluster(t);
    fill(cluster, 4);
    const consumer = makeConsumer(t, cluster);
    consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
    const controller = new AbortController();
    const seen = [];
    await assert.rejects(async () => {
        for await (const record of consumer.records({ signal: controller.signal })) {
            seen.push(record.text());
            if (seen.length === 4) controller.abort();
        }
    }, { name: 'AbortError' });
    fill(cluster, 2, { from: 4 });
    seen.push(...texts(await take(consumer, 2)));
    assert.deepEqual(seen, range(0, 6));
});

test('close ends the loop of whoever waits', async (t) => {
    const cluster = makeCluster(t);
    fill(cluster, 2);
    const consumer = makeConsumer(t, cluster, { groupId: 'g', topics: ['t'] });
    let count = 0;
    const loop = (async () => { for await (const record of consumer) if (record.text() !== '') count++; })();
    await until('both are read', () => count === 2);
    await consumer.close();
    await loop;
});

test('seek moves at once, forwards and back, also within what is in hand', async (t) => {
    const cluster = makeCluster(t);
    fill(cluster, 20);
    const consumer = makeConsumer(t, cluster);
    consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
    const seen = [];
    for await (const record of consumer) {
        seen.push(record.text());
        if (seen.length === 3) consumer.seek({ topic: 't', partition: 0, offset: 10 });
        if (seen.length === 5) consumer.seek([{ topic: 't', partition: 0, offset: 'earliest' }]);
        if (seen.length === 6) consumer.seek({ topic: 't', partition: 0, offset: '19' });
        if (seen.length === 7) break;
    }
    assert.deepEqual(seen, ['0', '1', '2', '10', '11', '0', '19']);
    assert.throws(() => consumer.seek({ topic: 't', partition: 5, offset: 0 }), { code: 'SLUICE_ERR_STALE' });
});

test('a Date finds the first record at or after it', async (t) => {
    const cluster = makeCluster(t);
    for (let i = 0; i < 10; i++) cluster.append('t', `${i}`, { partition: 0, timestamp: 1000 + i * 10 });
    const consumer = makeConsumer(t, cluster);
    consumer.assign([{ topic: 't', partition: 0, offset: new Date(1045) }]);
    assert.deepEqual(texts(await take(consumer, 1)), ['5']);
    const [entry] = await consumer.offsets([{ topic: 't', partition: 0, offset: new Date(1010) }]);
    assert.equal(entry.offset, 1n);
});

test('pause and resume: nothing is lost and nothing comes meanwhile', async (t) => {
    const cluster = makeCluster(t, { topics: { t: 2 } });
    fill(cluster, 5);
    fill(cluster, 5, { partition: 1, from: 100 });
    const consumer = makeConsumer(t, cluster);
    consumer.assign([{ topic: 't', partition: 0, offset: 0 }, { topic: 't', partition: 1, offset: 0 }]);
    const seen = { 0: [], 1: [] };
    for await (const record of consumer) {
        seen[record.partition].push(record.text());
        const both = seen[0].length + seen[1].length;
        if (seen[0].length === 2) consumer.pause([{ topic: 't', partition: 0 }]);
        if (seen[0].length === 2 && seen[1].length === 5) {
            assert.equal(consumer.positions()[0].paused, true);
            consumer.resume();
        }
        if (both === 10) break;
    }
    assert.deepEqual(seen, { 0: range(0, 5), 1: range(100, 105) });
});

test('commit while batches wait to be read', async (t) => {
    const cluster = makeCluster(t, { topics: { t: 2 } });
    fill(cluster, 5);
    const consumer = makeConsumer(t, cluster, { groupId: 'g', topics: ['t'], enableAutoCommit: false });
    const batch = await consumer.poll();
    fill(cluster, 5, { partition: 1 });
    await until('the rest has arrived', () => cluster.requests('Fetch') > 2);
    batch.finish();
    const [committed] = await consumer.commit();
    assert.deepEqual([committed.partition, committed.offset], [0, 5n]);
    assert.deepEqual(await consumer.commit([{ topic: 't', partition: 0, offset: 2, metadata: 'note' }]).then(([e]) => [e.offset, e.code]), [2n, 0]);
    const [entry] = await consumer.committed([{ topic: 't', partition: 0 }]);
    assert.deepEqual([entry.offset, entry.metadata], [2n, 'note']);
});

test('what is processed is committed while a slow loop goes on', async (t) => {
    const cluster = makeCluster(t);
    fill(cluster, 100);
    const consumer = makeConsumer(t, cluster, { groupId: 'g', topics: ['t'], autoCommitIntervalMs: 10 });
    let count = 0;
    for await (const record of consumer) {
        assert.equal(record.offset, BigInt(count++));
        if (count < 10) continue;
        await until('nine are committed', async () =>
            (await consumer.committed([{ topic: 't', partition: 0 }]))[0].offset === 9n);
        break;
    }
});

test('errors of a partition are thrown once, and others go on', async (t) => {
    const cluster = makeCluster(t, { topics: { t: 2 } });
    fill(cluster, 3, { partition: 1 });
    const consumer = makeConsumer(t, cluster, { autoOffsetReset: 'none' });
    consumer.assign([{ topic: 't', partition: 0, offset: 100 }, { topic: 't', partition: 1, offset: 0 }]);
    let error;
    const seen = [];
    while (seen.length < 3 || error === undefined) {
        try {
            const batch = await consumer.poll();
            seen.push(...texts([...batch]));
            batch.finish();
        } catch (caught) {
            error = caught;
        }
    }
    assert.equal(error.code, 'SLUICE_ERR_NO_OFFSET');
    assert.match(error.message, /100/);
    assert.deepEqual(seen, range(0, 3));
});

test('faults on the way are survived', async (t) => {
    const cluster = makeCluster(t, { brokers: 2, topics: {} });
    cluster.topic('t', { partitions: 2, replicas: 2 });
    fill(cluster, 500);
    fill(cluster, 500, { partition: 1, from: 500 });
    const consumer = makeConsumer(t, cluster, { groupId: 'g', topics: ['t'], fetchMaxBytes: 2000, maxPartitionFetchBytes: 1000 });
    cluster.fault({ kind: 'cutBefore', api: 'Fetch', times: 3, skip: 2 });
    cluster.fault({ kind: 'error', api: 'Fetch', code: 6, times: 2, skip: 6 });
    cluster.fault({ kind: 'cutAfter', api: 'OffsetFetch' });
    const seen = new Set();
    for await (const record of consumer) {
        seen.add(record.text());
        if (seen.size === 100) cluster.moveLeader('t', 0, 2);
        if (seen.size === 1000) break;
    }
    assert.equal(seen.size, 1000);
});

test('two members share, and one that leaves gives its partitions to the other', async (t) => {
    const cluster = makeCluster(t, { topics: { t: 4 } });
    const told = [];
    const members = ['a', 'b'].map((name) => makeConsumer(t, cluster, {
        groupId: 'g', topics: ['t'], clientId: name, heartbeatIntervalMs: 50,
        onRebalance: (kind, partitions) => { told.push([name, kind, partitions.length]); },
    }));
    const loops = members.map(async (member) => { for await (const batch of member.batches()) batch.finish(); });
    await until('each has two', () => members.every((member) => member.assignment().length === 2), 20000);
    await members[0].close();
    await until('the other has all', () => members[1].assignment().length === 4, 20000);
    await members[1].close();
    await Promise.all(loops);
    assert.ok(told.some(([name, kind]) => name === 'a' && kind === 'assigned'));
    assert.equal(told.filter(([name, kind]) => name === 'b' && kind === 'assigned').reduce((sum, [,, n]) => sum + n, 0) >= 4, true);
});

test('every group gets everything, and goes on where it had come to', async (t) => {
    const cluster = makeCluster(t);
    const read = async (groupId, count) => {
        const consumer = makeConsumer(t, cluster, { groupId, topics: ['t'] });
        const found = texts(await take(consumer, count));
        await consumer.close();
        return found;
    };
    fill(cluster, 100);
    for (const group of ['billing', 'stock', 'mail']) assert.deepEqual(await read(group, 100), range(0, 100));
    fill(cluster, 10, { from: 100 });
    for (const group of ['mail', 'billing', 'stock']) assert.deepEqual(await read(group, 10), range(100, 110));
});

test('a rebalance listener says where to begin', async (t) => {
    const cluster = makeCluster(t);
    fill(cluster, 10);
    const consumer = makeConsumer(t, cluster, {
        groupId: 'g', topics: ['t'],
        onRebalance: async (kind, partitions) => (kind === 'assigned' ? partitions.map((p) => ({ ...p, offset: 7 })) : undefined),
    });
    assert.deepEqual(texts(await take(consumer, 3)), range(7, 10));
});

test('a loop that always finds something lets others have their turn', async (t) => {
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster);
    await producer.sendMany('t', range(0, 20000));
    const consumer = makeConsumer(t, cluster);
    consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
    let turns = 0;
    let isOver = false;
    const count = () => { turns++; if (!isOver) setImmediate(count); };
    setImmediate(count);
    await take(consumer, 20000);
    isOver = true;
    assert.ok(turns >= 20, `${turns} turns`);
});

test('topics by pattern', async (t) => {
    const cluster = makeCluster(t, { topics: { 'log-a': 1, 'log-b': 1, other: 1 } });
    for (const topic of ['log-a', 'log-b', 'other']) cluster.append(topic, topic, { partition: 0 });
    const consumer = makeConsumer(t, cluster, { groupId: 'g', topics: [/^log-/] });
    assert.deepEqual(texts(await take(consumer, 2)).sort(), ['log-a', 'log-b']);
});
