'use strict';
/* Goal: who comes from KafkaJS finds eachMessage and eachBatch, with what they promise.
 * Method: programs in KafkaJS's shape against a bundled cluster. */
const test = require('node:test');
const assert = require('node:assert/strict');
const { Kafka, closeAfter, makeCluster, makeConsumer, until } = require('./support.js');

function fill(cluster, count, partition = 0) {
    for (let i = 0; i < count; i++) cluster.append('t', `${partition}:${i}`, { partition });
}

test('the first program of a KafkaJS tutorial', async (t) => {
    const cluster = makeCluster(t);
    const kafka = new Kafka({ clientId: 'my-app', brokers: cluster.brokers.split(',') });
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({ topic: 't', messages: [{ key: 'k', value: 'Hello KafkaJS user!', headers: { a: 'b' } }] });
    await producer.disconnect();
    const consumer = kafka.consumer({ groupId: 'test-group' });
    closeAfter(t, () => consumer.disconnect());
    await consumer.connect();
    await consumer.subscribe({ topic: 't', fromBeginning: true });
    const seen = [];
    await consumer.run({
        eachMessage: async ({ topic, partition, message, heartbeat }) => {
            await heartbeat();
            seen.push([topic, partition, message.value.toString(), `${message.offset}`, message.headers.a.toString()]);
        },
    });
    await until('it is read', () => seen.length === 1);
    await consumer.disconnect();
    assert.deepEqual(seen, [['t', 0, 'Hello KafkaJS user!', '0', 'b']]);
    const late = makeConsumer(t, cluster, { groupId: 'g', topics: ['t'], fromBeginning: false, autoOffsetReset: 'latest' });
    await late.ready();
    assert.throws(() => late.subscribe({ topics: ['t'], fromBeginning: true }), /before/);
});

test('eachMessage: order within a partition, and what is processed is committed', async (t) => {
    const cluster = makeCluster(t, { topics: { t: 3 } });
    for (let p = 0; p < 3; p++) fill(cluster, 50, p);
    const seen = [[], [], []];
    const first = makeConsumer(t, cluster, { groupId: 'g', topics: ['t'] });
    let atOnce = 0;
    let most = 0;
    await first.run({
        partitionsConsumedConcurrently: 3,
        eachMessage: async ({ partition, message }) => {
            most = Math.max(most, ++atOnce);
            await new Promise((resolve) => { setImmediate(resolve); });
            atOnce--;
            seen[partition].push(message.text());
        },
    });
    await until('all are read', () => seen.flat().length === 150);
    await first.stop();
    await first.close();
    seen.forEach((values, p) => assert.deepEqual(values, Array.from({ length: 50 }, (_, i) => `${p}:${i}`)));
    assert.ok(most <= 3);
    const second = makeConsumer(t, cluster, { groupId: 'g' });
    for (const { offset } of await second.committed([0, 1, 2].map((partition) => ({ topic: 't', partition })))) assert.equal(offset, 50n);
});

test('a handler that fails is tried again from its record, then the run ends', async (t) => {
    const cluster = makeCluster(t);
    fill(cluster, 6);
    const seen = [];
    let failures = 2;
    const consumer = makeConsumer(t, cluster, { groupId: 'g', topics: ['t'] });
    const eachMessage = async ({ message }) => {
        seen.push(message.text());
        if (message.offset === 3n && failures-- > 0) throw new Error('not yet');
    };
    await consumer.run({ eachMessage, retry: { initialRetryTime: 1 } });
    await until('the last is read', () => seen.includes('0:5'));
    await consumer.stop();
    assert.deepEqual(seen, ['0:0', '0:1', '0:2', '0:3', '0:3', '0:3', '0:4', '0:5']);
    failures = 10;
    consumer.seek({ topic: 't', partition: 0, offset: 3 });
    await consumer.run({ eachMessage, retry: { retries: 2, initialRetryTime: 1 } });
    await assert.rejects(consumer.running, /not yet/);
});

test('eachBatch: resolved offsets are what is committed', async (t) => {
    const cluster = makeCluster(t, { topics: { t: 1 } });
    fill(cluster, 10);
    const first = makeConsumer(t, cluster, { groupId: 'g', topics: ['t'] });
    let told;
    await first.run({
        eachBatchAutoResolve: false,
        eachBatch: async ({ batch, resolveOffset, commitOffsetsIfNecessary, isRunning, isStale, heartbeat }) => {
            if (told !== undefined) return;
            for (const message of batch.messages) {
                if (!isRunning() || isStale() || message.offset === 6n) break;
                resolveOffset(String(message.offset));
                await heartbeat();
            }
            await commitOffsetsIfNecessary();
            told = [batch.topic, batch.partition, batch.firstOffset(), batch.lastOffset(), batch.highWatermark,
                batch.offsetLag(), batch.isEmpty()];
        },
    });
    await until('the batch came', () => told !== undefined);
    await first.stop();
    await first.close();
    assert.deepEqual(told, ['t', 0, 0n, 9n, 10n, 0n, false]);
    const second = makeConsumer(t, cluster, { groupId: 'g' });
    assert.equal((await second.committed([{ topic: 't', partition: 0 }]))[0].offset, 6n);
});

test('pause of a handler, and seek out of one', async (t) => {
    const cluster = makeCluster(t);
    fill(cluster, 8);
    const seen = [];
    let resume;
    const consumer = makeConsumer(t, cluster, { groupId: 'g', topics: ['t'] });
    await consumer.run({
        eachMessage: async ({ message, pause }) => {
            seen.push(Number(message.offset));
            if (seen.length === 3) resume = pause();
            if (seen.length === 5) consumer.seek({ topic: 't', partition: 0, offset: 1 });
            if (seen.length === 7) consumer.seek({ topic: 't', partition: 0, offset: 7 });
        },
    });
    await until('it is paused', () => resume !== undefined);
    await until('the batch is given back', () => consumer.positions()[0].offset === 3n);
    assert.deepEqual(seen, [0, 1, 2]);
    resume();
    await until('the last is read', () => seen.includes(7));
    assert.deepEqual(seen, [0, 1, 2, 3, 4, 1, 2, 7]);
});

test('run needs a handler, one at a time', async (t) => {
    const consumer = makeConsumer(t, makeCluster(t), { groupId: 'g', topics: ['t'] });
    await assert.rejects(consumer.run({}), TypeError);
    await consumer.run({ eachMessage: () => {} });
    await assert.rejects(consumer.run({ eachMessage: () => {} }), /already/);
    await consumer.stop();
    await consumer.run({ eachBatch: () => {} });
    await consumer.stop();
});
