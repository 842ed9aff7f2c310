'use strict';
/* One client of the benchmark, in a process of its own:
 *
 *     node node_client.cjs CASE WHO BOOTSTRAP SECONDS
 *
 * WHO is sluice, kafkajs, which is where the tests of the Node package have it, or confluent, which NODE_PATH
 * has. Runs the case for a
 * warm-up of half a second and then for SECONDS, and prints how many records it moved in them, in how
 * much time and with how much CPU time of the whole process, as JSON. */
const path = require('node:path');

const TOPIC = 'bench';
const VALUE = Buffer.alloc(100, 'x');
const GROUP = `bench-${process.pid}`;
const SEND = 1000;
const modules = path.join(__dirname, '..', 'node');

/* What is measured: from the end of the warm-up on. */
class Clock {
    constructor(seconds) {
        this.begin = performance.now() + 500;
        this.time = seconds * 1000;
        this.end = Infinity;
        this.records = 0;
        this.cpu = null;
    }

    /* Some records were moved; false when it is time to stop. */
    count(records) {
        const now = performance.now();
        if (this.cpu === null) {
            /* Some take seconds until their first record. */
            if (now >= this.begin) [this.begin, this.end, this.cpu] = [now, now + this.time, process.cpuUsage()];
            return true;
        }
        this.records += records;
        return now < this.end;
    }

    tell() {
        const { user, system } = process.cpuUsage(this.cpu);
        console.log(JSON.stringify({
            records: this.records, wall: (performance.now() - this.begin) / 1000, cpu: (user + system) / 1e6,
        }));
    }
}

/* ---- sluice ---- */

function openSluice(servers) {
    const { Consumer } = require(modules);
    return new Consumer(servers, { groupId: GROUP, topics: [TOPIC], fromBeginning: true, enableAutoCommit: false });
}

async function sluiceBatch(clock, servers) {
    let total = 0;
    for await (const batch of openSluice(servers).batches()) {
        for (let i = 0; i < batch.length; i++) total += batch.value(i).length;
        if (!clock.count(batch.length)) break;
    }
    return total;
}

async function sluiceRecord(clock, servers) {
    let total = 0;
    let count = 0;
    for await (const record of openSluice(servers)) {
        total += record.value.length;
        if (++count % SEND === 0 && !clock.count(SEND)) break;
    }
    return total;
}

async function sluiceSend(clock, servers) {
    const { Producer } = require(modules);
    const producer = new Producer(servers);
    do {
        const promises = [];
        for (let i = 0; i < SEND; i++) promises.push(producer.send(TOPIC, VALUE));
        await Promise.all(promises);
    } while (clock.count(SEND));
}

/* ---- kafkajs ---- */

function openPeer(servers) {
    const { Kafka, logLevel } = require(path.join(modules, 'node_modules', 'kafkajs'));
    return new Kafka({ brokers: servers.split(','), logLevel: logLevel.ERROR });
}

async function runPeer(servers, handlers) {
    const consumer = openPeer(servers).consumer({ groupId: GROUP });
    await consumer.connect();
    await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
    await consumer.run({ autoCommit: false, ...handlers });
}

/* Handlers in the shape that both peers have; they go on until the process ends. */
function readBatches(clock, start) {
    return new Promise((resolve, reject) => {
        let total = 0;
        const eachBatch = async ({ batch }) => {
            for (const message of batch.messages) total += message.value.length;
            if (!clock.count(batch.messages.length)) resolve(total);
        };
        start({ eachBatch }).catch(reject);
    });
}

function readRecords(clock, start) {
    return new Promise((resolve, reject) => {
        let total = 0;
        let count = 0;
        const eachMessage = async ({ message }) => {
            total += message.value.length;
            if (++count % SEND === 0 && !clock.count(SEND)) resolve(total);
        };
        start({ eachMessage }).catch(reject);
    });
}

const peerBatch = (clock, servers) => readBatches(clock, (handlers) => runPeer(servers, handlers));
const peerRecord = (clock, servers) => readRecords(clock, (handlers) => runPeer(servers, handlers));

async function peerSend(clock, servers) {
    const producer = openPeer(servers).producer();
    await producer.connect();
    do {
        const messages = [];
        for (let i = 0; i < SEND; i++) messages.push({ value: VALUE });
        await producer.send({ topic: TOPIC, messages });
    } while (clock.count(SEND));
}

/* ---- confluent-kafka-javascript ---- */

async function runConfluent(servers, handlers, settings) {
    const { Kafka, logLevel } = require('@confluentinc/kafka-javascript').KafkaJS;
    const kafka = new Kafka({ kafkaJS: { brokers: servers.split(','), logLevel: logLevel.ERROR } });
    const consumer = kafka.consumer({ kafkaJS: { groupId: GROUP, fromBeginning: true, autoCommit: false }, ...settings });
    await consumer.connect();
    await consumer.subscribe({ topic: TOPIC });
    await consumer.run(handlers);
}

const confluentBatch = (clock, servers) => readBatches(clock, (handlers) => runConfluent(servers, handlers));
const confluentUnlimited = (clock, servers) => readBatches(clock,
    (handlers) => runConfluent(servers, handlers, { 'js.consumer.max.batch.size': -1 }));
const confluentRecord = (clock, servers) => readRecords(clock, (handlers) => runConfluent(servers, handlers));

const runs = {
    'node-batch': { sluice: sluiceBatch, kafkajs: peerBatch },
    'node-record': { sluice: sluiceRecord, kafkajs: peerRecord },
    'node-send': { sluice: sluiceSend, kafkajs: peerSend },
    'node-batch-confluent': { sluice: sluiceBatch, confluent: confluentBatch },
    'node-batch-confluent-unlimited': { sluice: sluiceBatch, confluent: confluentUnlimited },
    'node-record-confluent': { sluice: sluiceRecord, confluent: confluentRecord },
};

async function main([name, who, servers, seconds]) {
    const clock = new Clock(Number(seconds));
    await runs[name][who](clock, servers);
    clock.tell();
    process.exit(0);
}

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
main(process.argv.slice(2));
