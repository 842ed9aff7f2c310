/* The Node package on a real Kafka, for cases/bindings.sh: what bindings.py does in Python, with the same records.
 *
 *     bindings.mjs write SERVERS TOPIC COUNT           makes the topic, writes a quarter in each of the ways there are
 *     bindings.mjs read SERVERS GROUP COUNT TOPIC...   reads them in a group, in each of the ways there are
 *     bindings.mjs member SERVERS GROUP TOPIC          prints "partition offset" lines until it is told to end
 *     bindings.mjs remove SERVERS TOPIC                deletes it
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Admin, Consumer, Kafka, Producer } from '../../bindings/node/index.mjs';

const PARTITIONS = 6;
const TIME = 1_700_000_000_000;

/* Every field of a record follows from its number. The partition is undefined where its key chooses. */
function makeRecord(number, count) {
    const key = number % 4 === 0 ? null : number % 50 === 1 ? Buffer.from([0xff, 0, 0xfe]) : `k${number % 97}`;
    const rest = number % 100;
    const value = rest === 99 ? null : rest === 98 ? '' : `${number}:${'ü'.repeat((number * 37) % 120)}`;
    const headers = [['n', `${number}`], ['empty', '']];
    if (number % 7 === 0) headers.push(['null', null]);
    const isPlaced = [0, 2].includes(Math.floor((number * 4) / count)) && number % 3 === 0;
    return { key, value, headers, timestamp: TIME + number, partition: isPlaced ? number % PARTITIONS : undefined };
}

const recordsOf = (count, quarter) => Array.from({ length: count / 4 }, (_, i) => makeRecord((count * quarter) / 4 + i, count));
const textOf = (bytes) => (bytes === null ? null : bytes.toString('latin1'));
const wantedText = (part) => (part === null ? null : Buffer.from(part).toString('latin1'));

/* What was read is what was written: each record once, in the order of its partition, where its key belongs. */
class Checker {
    #seen = new Set();
    #last = new Map();
    #places = new Map();
    constructor(count, topics) {
        this.count = count;
        this.wanted = count * topics.length;
    }

    check(record) {
        const { topic, partition, offset, timestamp } = record;
        const number = Number(record.headers.n);
        const wanted = makeRecord(number, this.count);
        const what = `${topic} [${partition}] ${offset}: record ${number}`;
        assert.deepEqual(
            [textOf(record.key), textOf(record.value), timestamp, record.headerList.map(([name, value]) => [name, textOf(value)])],
            [wantedText(wanted.key), wantedText(wanted.value), wanted.timestamp,
                wanted.headers.map(([name, value]) => [name, wantedText(value)])], what);
        let place = wanted.partition;
        if (place === undefined && record.key !== null) {
            if (!this.#places.has(textOf(record.key))) this.#places.set(textOf(record.key), partition);
            place = this.#places.get(textOf(record.key)); // in every topic, whoever wrote it
        }
        assert.ok(place === undefined || place === partition, `${what} is not in ${place}`);
        const last = this.#last.get(`${topic} ${partition}`) ?? { number: -1, offset: -1n };
        assert.ok(number > last.number && offset > last.offset, `${what} after ${last.number}`);
        this.#last.set(`${topic} ${partition}`, { number, offset });
        assert.ok(!this.#seen.has(`${topic} ${number}`), `${what} came twice`);
        this.#seen.add(`${topic} ${number}`);
    }

    get total() { return this.#seen.size; }
    get isDone() { return this.total === this.wanted; }
}

async function write(servers, topic, count) {
    await using(new Admin(servers), async (admin) => {
        await admin.createTopic(topic, { partitions: PARTITIONS, replicas: 3, settings: { 'min.insync.replicas': 2 } });
        await assert.rejects(admin.createTopic(topic, { partitions: PARTITIONS }), { code: 'TOPIC_ALREADY_EXISTS' });
    });
    await using(new Producer(servers, { compressionType: 'zstd' }), async (producer) => {
        assert.equal(await awaitPartitions(producer, topic), PARTITIONS);
        const send = ({ value, ...options }) => producer.send(topic, value, options);
        const ends = new Map();
        for (const { partition, offset } of await Promise.all(recordsOf(count, 0).map(send))) {
            assert.ok((ends.get(partition) ?? -1n) < offset);
            ends.set(partition, offset);
        }
        assert.equal([...ends.values()].reduce((sum, last) => sum + Number(last) + 1, 0), count / 4);
        const parts = await producer.sendMany(topic, recordsOf(count, 1));
        assert.equal(parts.reduce((sum, part) => sum + part.count, 0), count / 4);
    });
    await using(new Kafka({ brokers: servers.split(',') }).producer({ compressionType: 'lz4' }), async (producer) => {
        await Promise.all(recordsOf(count, 2).map(({ value, ...options }) => producer.send(topic, value, options)));
        await producer.send({ topic, messages: recordsOf(count, 3) });
        await producer.flush();
    });
}

/* A topic that was just made is not known to every broker at once. */
async function awaitPartitions(client, topic) {
    for (const deadline = Date.now() + 20000; ;) {
        try {
            return await client.partitions(topic);
        } catch (error) {
            if (!error.retriable || Date.now() > deadline) throw error;
            await sleep(50);
        }
    }
}

async function using(client, work) {
    try {
        await work(client);
    } finally {
        await client.close();
    }
}

async function read(servers, group, count, ...topics) {
    const settings = { groupId: group, topics, fromBeginning: true };
    const checker = new Checker(count, topics);
    await using(new Consumer(servers, { ...settings, enableAutoCommit: false }), async (consumer) => {
        for await (const record of consumer) {
            checker.check(record);
            if (checker.total < count) continue;
            record.mark();
            await consumer.commit();
            break;
        }
    });
    /* Closed without a commit: what is read meanwhile comes again. */
    await using(new Consumer(servers, { ...settings, enableAutoCommit: false }), async (consumer) => {
        (await consumer.poll({ timeout: 30000 })).finish();
    });
    await using(new Consumer(servers, settings), async (consumer) => {
        for await (const batch of consumer.batches()) {
            for (const record of batch) checker.check(record);
            if (checker.isDone) {
                batch.finish();
                break;
            }
        }
    });
    const places = topics.flatMap((topic) => Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition })));
    const at = (offset) => places.map((place) => ({ ...place, offset }));
    await using(new Consumer(servers, { groupId: group, enableAutoCommit: false }), async (consumer) => {
        const offsets = (entries) => entries.map(({ offset }) => offset);
        assert.deepEqual(offsets(await consumer.committed(places)), offsets(await consumer.offsets(at('latest'))));
        consumer.assign(places);
        const middle = TIME + count / 2;
        consumer.seek(at(new Date(middle)));
        const batch = await consumer.poll({ timeout: 30000 });
        for (const { start } of batch.partitions) assert.ok(batch.timestamp(start) >= middle);
        batch.retry();
        consumer.seek(at('earliest'));
        consumer.pause(places.slice(1));
        const first = await consumer.poll({ timeout: 30000 });
        assert.deepEqual(first.partitions.map(({ topic, partition, firstOffset }) => [topic, partition, firstOffset]), [[topics[0], 0, 0n]]);
        first.finish();
    });
    await handle(servers, `${group}-handlers`, count, topics);
}

/* By handlers, in KafkaJS's way. */
async function handle(servers, groupId, count, topics) {
    const checker = new Checker(count, topics);
    const kafka = new Kafka({ clientId: 'bindings', brokers: servers.split(',') });
    await using(kafka.consumer({ groupId }), async (consumer) => {
        await consumer.connect();
        await consumer.subscribe({ topics, fromBeginning: true });
        await new Promise((resolve, reject) => {
            consumer.run({
                partitionsConsumedConcurrently: 3,
                retry: { retries: 0 },
                eachMessage: async ({ message }) => {
                    checker.check(message);
                    if (checker.isDone) resolve();
                },
            }).then(() => consumer.running.catch(reject));
        });
    });
}

async function member(servers, groupId, topic) {
    const consumer = new Consumer(servers, {
        groupId, topics: [topic], fromBeginning: true,
        onRebalance: (kind, places) => { console.error(kind, places.length); },
    });
    process.once('SIGTERM', () => consumer.close());
    for await (const batch of consumer.batches()) {
        console.log(Array.from(batch, ({ partition, offset }) => `${partition} ${offset}`).join('\n'));
    }
}

const remove = (servers, topic) => using(new Admin(servers), (admin) => admin.deleteTopic(topic));

const [verb, ...words] = process.argv.slice(2);
await { write, read, member, remove }[verb](...words.map((word) => (/^\d+$/.test(word) ? Number(word) : word)));
