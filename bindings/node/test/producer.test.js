'use strict';
/* Goal: every record sent has its one outcome, told by its promise, whatever goes wrong.
 * Method: a bundled cluster for each test; what it stored is the truth that is compared with. */
const test = require('node:test');
const assert = require('node:assert/strict');
const { DeliveryError, SluiceError, Producer, makeCluster, makeProducer, until } = require('./support.js');

test('a promise says where the record is', async (t) => {
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster);
    const sent = await producer.send('t', 'hello', { key: 'k', timestamp: 1700000000000 });
    assert.deepEqual([sent.topic, sent.partition, sent.offset], ['t', 0, 0n]);
    assert.equal(JSON.parse(JSON.stringify(sent)).offset, '0');
    const [record] = cluster.read('t');
    assert.deepEqual([record.key.toString(), record.text(), record.timestamp], ['k', 'hello', 1700000000000]);
});

test('keys, values and headers of all kinds arrive as they were', async (t) => {
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster);
    const binary = Buffer.from([0, 255, 128, 10]);
    const long = 'ü€😀'.repeat(20000);
    const many = Array.from({ length: 100 }, (_, i) => [`h${i % 7}`, i % 3 === 0 ? null : `${i}`.repeat(i)]);
    await Promise.all([
        producer.send('t', 'plain'),
        producer.send('t', null, { key: 'tombstone' }),
        producer.send('t', undefined, { key: Buffer.alloc(0) }),
        producer.send('t', binary, { headers: { one: 'a', two: ['b', null], three: binary } }),
        producer.send('t', new Uint8Array(binary.buffer, binary.byteOffset + 1, 2)),
        producer.send('t', long, { headers: many }),
        producer.send('t', 'dated', { timestamp: new Date(5) }),
    ]);
    const records = cluster.read('t');
    assert.deepEqual(records.map((r) => r.value?.toString('hex') ?? null), ['plain', null, '', binary,
        binary.subarray(1, 3), long, 'dated'].map((v) => (v === null ? null : Buffer.from(v).toString('hex'))));
    assert.deepEqual(records.map((r) => r.key?.toString() ?? null), [null, 'tombstone', '', null, null, null, null]);
    assert.deepEqual(records[3].headerList,
        [['one', Buffer.from('a')], ['two', Buffer.from('b')], ['two', null], ['three', binary]]);
    assert.deepEqual(records[5].headerList, many.map(([name, value]) => [name, value === null ? null : Buffer.from(value)]));
    assert.equal(records[6].timestamp, 5);
    assert.ok(Math.abs(records[0].timestamp - Date.now()) < 60000);
});

test('records of a partition keep their order, in turns and packs of all sizes', async (t) => {
    const cluster = makeCluster(t, { topics: { t: 1, u: 3 } });
    const producer = makeProducer(t, cluster);
    const promises = [];
    let sent = 0;
    for (const size of [1, 2, 700, 3000, 1, 40]) {
        for (let i = 0; i < size; i++) {
            const value = `${sent++}`;
            promises.push(producer.send('t', value, i % 5 === 0 ? { partition: 0 } : undefined));
            promises.push(producer.send('u', value, { key: value }));
        }
        await new Promise((resolve) => { setImmediate(resolve); });
    }
    promises.push(producer.sendMany('t', [`${sent}`, `${sent + 1}`]));
    await Promise.all(promises);
    assert.deepEqual(cluster.read('t').map((r) => Number(r.text())), Array.from({ length: sent + 2 }, (_, i) => i));
    for (let partition = 0; partition < 3; partition++) {
        const values = cluster.read('u', { partition }).map((r) => Number(r.text()));
        assert.deepEqual(values, [...values].sort((a, b) => a - b));
        for (const value of values) assert.equal(Producer.partition(`${value}`, 3), partition);
    }
});

test('the offset of each promise is that of its record', async (t) => {
    const cluster = makeCluster(t, { topics: { t: 4 } });
    const producer = makeProducer(t, cluster);
    const count = 5000;
    const sent = await Promise.all(Array.from({ length: count }, (_, i) => producer.send('t', `${i}`, { key: `${i % 50}` })));
    const stored = [0, 1, 2, 3].map((partition) => cluster.read('t', { partition }));
    sent.forEach(({ partition, offset }, i) => assert.equal(stored[partition][Number(offset)].text(), `${i}`));
});

test('partitions in turn, and records among them that their key places', async (t) => {
    const cluster = makeCluster(t, { topics: { t: 3 } });
    const producer = makeProducer(t, cluster);
    const given = Array.from({ length: 3000 }, (_, i) => (i % 4 === 3 ? undefined : i % 3));
    const wanted = given.map((partition) => partition ?? Producer.partition('key', 3));
    const sent = await Promise.all(given.map((partition, i) => producer.send('t', `${i}`, { key: 'key', partition })));
    assert.deepEqual(sent.map(({ partition }) => partition), wanted);
    const stored = [0, 1, 2].map((partition) => cluster.read('t', { partition }));
    sent.forEach(({ partition, offset }, i) => assert.equal(stored[partition][Number(offset)].text(), `${i}`));
    const parts = await producer.sendMany('t', given.map((partition, i) => ({ value: `${i}`, key: 'key', partition })));
    assert.deepEqual(parts.map(({ partition, count }) => [partition, count]).sort(),
        [0, 1, 2].map((partition) => [partition, wanted.filter((one) => one === partition).length]));
});

test('sendMany: one promise for all, with the partitions they went to', async (t) => {
    const cluster = makeCluster(t, { topics: { t: 3 } });
    const producer = makeProducer(t, cluster);
    const values = Array.from({ length: 3000 }, (_, i) => `value ${i}`);
    const parts = await producer.sendMany('t', values, { keys: values.map((_, i) => (i % 2 ? `${i}` : null)) });
    assert.equal(parts.reduce((sum, part) => sum + part.count, 0), 3000);
    for (const { partition, count, baseOffset } of parts) {
        assert.equal(baseOffset, 0n);
        assert.equal(cluster.read('t', { partition }).length, count);
    }
    assert.deepEqual(await producer.sendMany('t', []), []);
    const [part] = await producer.send({ topic: 't', messages: [{ value: 'a', partition: 2 }, { value: null, partition: 2, key: 'k' }] });
    assert.deepEqual([part.partition, part.count], [2, 2]);
});

test('a mistake in a call is told at once, and nothing of it is sent', async (t) => {
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster);
    await assert.rejects(producer.send('t', 7), TypeError);
    await assert.rejects(producer.send('', 'v'), TypeError);
    await assert.rejects(producer.send('t', 'v', { partition: 1.5 }), TypeError);
    await assert.rejects(producer.send('t', 'v', { timestamp: -1 }), TypeError);
    await assert.rejects(producer.send('t', 'v', { headers: { h: 7 } }), TypeError);
    await assert.rejects(producer.send('t', 'v', { headers: [['', 'x']] }), TypeError);
    await assert.rejects(producer.sendMany('t', ['a', {}, { value: 3 }]), TypeError);
    await assert.rejects(producer.send({ topic: 't' }), TypeError);
    await producer.send('t', 'good', { key: 'a' });
    assert.deepEqual(cluster.read('t').map((r) => r.text()), ['good']);
    assert.equal(producer.pending, 0);
});

test('mistakes in settings are told by the constructor, all at once', () => {
    assert.throws(() => new Producer('a:1', { lingerMs: -5, comprssionType: 'lz4' }), (error) => {
        assert.ok(error instanceof SluiceError);
        assert.equal(error.code, 'SLUICE_ERR_CONFIG');
        assert.match(error.message, /linger\.ms/);
        assert.match(error.message, /compression\.type/);
        return true;
    });
    assert.throws(() => new Producer('a:1', { clientId: {} }), TypeError);
});

test('a record that is too large is refused alone', async (t) => {
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster);
    const results = await Promise.allSettled([
        producer.send('t', 'before'), producer.send('t', Buffer.alloc(3e6)), producer.send('t', 'after')]);
    assert.deepEqual(results.map((r) => r.status), ['fulfilled', 'rejected', 'fulfilled']);
    assert.equal(results[1].reason.code, 'SLUICE_ERR_TOO_BIG');
    assert.equal(results[1].reason.outcome, 'not written');
    await assert.rejects(producer.sendMany('t', ['a', Buffer.alloc(3e6), 'c']), (error) => {
        assert.deepEqual(error.failures.map(({ index }) => index), [1]);
        return error instanceof DeliveryError;
    });
    assert.deepEqual(cluster.read('t').map((r) => r.text()), ['before', 'after', 'a', 'c']);
});

test('more than the budget waits its turn in order', async (t) => {
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster, { bufferMemory: 65536, batchSize: 10000 });
    const value = 'x'.repeat(1000);
    const all = Promise.all(Array.from({ length: 2000 }, (_, i) => producer.send('t', `${i} ${value}`)));
    await producer.drain();
    await all;
    assert.deepEqual(cluster.read('t').map((r) => parseInt(r.text(), 10)), Array.from({ length: 2000 }, (_, i) => i));
});

test('what brokers refuse for good rejects, with their code', async (t) => {
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster);
    cluster.fault({ kind: 'error', api: 'Produce', code: 29 });
    await assert.rejects(producer.send('t', 'v'), (error) => {
        assert.deepEqual([error.name, error.errno, error.class, error.outcome, error.topic],
            ['DeliveryError', 29, 'denied', 'not written', 't']);
        assert.match(error.hint, /permissions/);
        return true;
    });
    await producer.send('t', 'next');
});

test('a lost answer is asked for again, and the record is there once', async (t) => {
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster);
    cluster.fault({ kind: 'cutAfter', api: 'Produce', times: 2 });
    await producer.send('t', 'once');
    cluster.fault({ kind: 'error', api: 'Produce', code: 6, times: 2 });
    await producer.send('t', 'twice');
    assert.deepEqual(cluster.read('t').map((r) => r.text()), ['once', 'twice']);
});

test('nobody can know: maybe written', async (t) => {
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster, { deliveryTimeoutMs: 1000, requestTimeoutMs: 300 });
    await producer.send('t', 'first');
    cluster.fault({ kind: 'silent', api: 'Produce', times: -1 });
    await assert.rejects(producer.send('t', 'v'), { outcome: 'maybe written' });
});

test('an abort ends the wait, and a signal that is aborted sends nothing', async (t) => {
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster);
    await producer.send('t', 'first');
    await assert.rejects(producer.send('t', 'v', { signal: AbortSignal.abort() }), { name: 'AbortError' });
    const fault = cluster.fault({ kind: 'delay', api: 'Produce', delay: 100, times: -1 });
    const controller = new AbortController();
    const slow = producer.send('t', 'slow', { signal: controller.signal });
    controller.abort(new Error('enough'));
    await assert.rejects(slow, /enough/);
    cluster.heal(fault);
    await producer.flush();
    assert.deepEqual(cluster.read('t').map((r) => r.text()), ['first', 'slow']);
});

test('flush rejects when something did not make it', async (t) => {
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster);
    cluster.fault({ kind: 'error', api: 'Produce', code: 29 });
    const failed = producer.send('t', 'v').catch((error) => error.errno);
    await assert.rejects(producer.flush(), { code: 'SLUICE_ERR_NOT_WRITTEN' });
    assert.equal(await failed, 29);
    await producer.flush();
});

test('discard drops what never left', async (t) => {
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster);
    cluster.broker(1, 'frozen');
    const sent = producer.send('t', 'v').catch((error) => error.outcome);
    await producer.drain();
    producer.discard();
    assert.equal(await sent, 'not written');
    cluster.broker(1, 'up');
    assert.deepEqual(cluster.read('t'), []);
});

test('close sends what is queued, and afterwards nothing is accepted', async (t) => {
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster, { lingerMs: 60000 });
    const sent = [1, 2, 3].map((i) => producer.send('t', `${i}`));
    const [first, second] = [producer.close(), producer.close()];
    assert.equal(first, second);
    await first;
    assert.deepEqual((await Promise.all(sent)).map((s) => s.offset), [0n, 1n, 2n]);
    assert.ok(producer.closed);
    await assert.rejects(producer.send('t', 'late'), { code: 'SLUICE_ERR_CLOSED' });
});

test('close without a broker gives up by its deadline', async (t) => {
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster);
    await producer.send('t', 'first');
    cluster.broker(1, 'frozen');
    const sent = producer.send('t', 'v').catch((error) => error.outcome);
    const began = Date.now();
    await producer.close({ timeout: 200 });
    assert.match(await sent, /written/);
    assert.ok(Date.now() - began < 5000);
});

test('await using closes', async (t) => {
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster);
    const sent = producer.send('t', 'v');
    await producer[Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]();
    assert.equal((await sent).offset, 0n);
});

test('leaders that move and nodes that die are followed', async (t) => {
    const cluster = makeCluster(t, { brokers: 3, topics: {} });
    cluster.topic('t', { partitions: 3, replicas: 3 });
    const producer = makeProducer(t, cluster);
    const sent = [];
    for (let i = 0; i < 60; i++) {
        sent.push(producer.send('t', `${i}`, { partition: i % 3 }));
        if (i === 20) for (let p = 0; p < 3; p++) cluster.moveLeader('t', p, (p % 3) + 1);
        if (i === 40) cluster.broker(2, 'down');
        if (i % 5 === 0) await sent[i];
    }
    await Promise.all(sent);
    const stored = [0, 1, 2].flatMap((partition) => cluster.read('t', { partition }).map((r) => Number(r.text())));
    assert.deepEqual(stored.sort((a, b) => a - b), Array.from({ length: 60 }, (_, i) => i));
});

test('metrics, partitions and the dump', async (t) => {
    const cluster = makeCluster(t, { topics: { t: 7 } });
    const producer = makeProducer(t, cluster);
    await producer.ready();
    assert.equal(await producer.partitions('t'), 7);
    await producer.send('t', 'v');
    const metrics = await producer.metrics();
    assert.equal(metrics.find(({ name, group }) => name === 'record-send-total' && group === 'producer-metrics').value, 1);
    assert.match(await producer.metrics({ format: 'prometheus' }), /^sluice_producer_record_send_total/m);
    assert.match(producer.dump(), /producer/);
    await until('nothing is pending', () => producer.pending === 0);
});
