'use strict';
/* A Kafka cluster in this process, for tests: real connections and the real protocol, topics and
 * logs in memory, faults on demand. Nodes have ids from 1. */
const abi = require('./lib/abi.js');
const { Batch } = require('./lib/batch.js');
const { asyncDispose, droppedHandles } = require('./lib/client.js');
const { failure, must } = require('./lib/errors.js');
const { dotted } = require('./lib/settings.js');

const kinds = {
    error: abi.FAULT_ERROR, delay: abi.FAULT_DELAY, cutBefore: abi.FAULT_CUT_BEFORE,
    cutAfter: abi.FAULT_CUT_AFTER, silent: abi.FAULT_SILENT, corrupt: abi.FAULT_CORRUPT, hostile: abi.FAULT_HOSTILE,
};
const states = { up: abi.BROKER_UP, down: abi.BROKER_DOWN, frozen: abi.BROKER_FROZEN };

function pick(table, word) {
    if (Object.hasOwn(table, word)) return table[word];
    throw new TypeError(`${word} is none of ${Object.keys(table).join(', ')}`);
}

const bytesOf = (part) => (typeof part === 'string' ? Buffer.from(part) : part ?? null);

class Cluster {
    #handle;

    /* new Cluster({brokers, topics: {name: partitions}, settings: {autoCreateTopicsEnable: false}}) */
    constructor({ brokers = 1, topics = {}, settings = {} } = {}) {
        const out = [null];
        must(abi.testbroker_create(brokers, null, out));
        this.#handle = out[0];
        droppedHandles.register(this, { give: abi.testbroker_free, handle: out[0] }, this);
        try {
            for (const [name, value] of Object.entries(settings)) this.set(dotted(name), String(value));
            for (const [name, partitions] of Object.entries(topics)) this.topic(name, { partitions });
        } catch (error) {
            this.close();
            throw error;
        }
    }

    #open() {
        if (this.#handle === null) throw failure(null, abi.ERR_CLOSED);
        return this.#handle;
    }

    /* What to give to clients as brokers. */
    get brokers() { return abi.testbroker_bootstrap(this.#open()); }

    set(name, value) { must(abi.testbroker_set(this.#open(), name, value)); }

    topic(name, { partitions = 1, replicas = 1 } = {}) {
        must(abi.testbroker_topic(this.#open(), name, partitions, replicas));
    }

    /* Appends a record as if it had been produced; without partition to the one that its key chooses. */
    append(topic, value, { key, partition, timestamp } = {}) {
        const [keyBytes, valueBytes] = [bytesOf(key), bytesOf(value)];
        const set = (partition === undefined ? 0 : abi.SET_PARTITION) |
            (timestamp === undefined ? 0 : abi.SET_TIMESTAMP) | (value === null ? abi.SET_TOMBSTONE : 0);
        must(abi.testbroker_append(this.#open(), {
            topic, key: keyBytes, value: valueBytes, key_size: keyBytes?.length ?? 0,
            value_size: valueBytes?.length ?? 0, headers: null, raw_headers: null, raw_headers_size: 0,
            header_count: 0, partition: partition ?? 0, timestamp_ms: Number(timestamp ?? 0), tag: 0, set,
            reserved: 0,
        }, abi.sizes.record));
    }

    /* Everything that is stored of a partition from an offset on. */
    read(topic, { partition = 0, from = 0n } = {}) {
        const records = [];
        for (let place = BigInt(from); ;) {
            const out = [null];
            must(abi.testbroker_read(this.#open(), topic, partition, place, out));
            if (out[0] === null) return records;
            const batch = new Batch(out[0], null);
            records.push(...batch);
            place = batch.partitions[0].nextOffset;
            batch.release();
        }
    }

    /* fault({kind: 'error'|'delay'|'cutBefore'|'cutAfter'|'silent'|'corrupt'|'hostile', api: 'Produce', topic,
     * partition, broker, code, delay, skip, times}): the next matching requests go wrong. code is Kafka's for
     * 'error'; for 'hostile' 1: says that two gigabytes follow, 2: promises two thousand million entries, 3: comes
     * byte by byte, delay ms between two. Returns what heal takes. */
    fault({ kind, api = null, topic = null, partition, broker = 0, code = 0, delay = 0, skip = 0, times = 0 }) {
        const out = [0];
        must(abi.testbroker_fault(this.#open(), {
            api, topic, kind: pick(kinds, kind), broker, partition: partition ?? 0, code, delay_ms: delay, skip,
            times, set: partition === undefined ? 0 : abi.SET_PARTITION,
        }, abi.sizes.fault, out));
        return out[0];
    }

    /* Without an argument: all faults. */
    heal(fault = 0) { must(abi.testbroker_heal(this.#open(), fault)); }

    /* Sets a node 'up', 'down' or 'frozen'. */
    broker(id, state) { must(abi.testbroker_broker(this.#open(), id, pick(states, state))); }

    moveLeader(topic, partition, broker) {
        must(abi.testbroker_move(this.#open(), abi.MOVE_LEADER, topic, partition, broker));
    }

    moveCoordinator(group, broker) {
        must(abi.testbroker_move(this.#open(), abi.MOVE_COORDINATOR, group, 0, broker));
    }

    rebalance(group) { must(abi.testbroker_rebalance(this.#open(), group)); }

    /* How many requests of an API have come, or of all. */
    requests(api = null) {
        const out = [0];
        const code = abi.testbroker_await(this.#open(), api, 2 ** 52, 0, out);
        if (code !== abi.ERR_TIMEOUT) must(code);
        return Number(out[0]);
    }

    /* Resolves when so many requests of an API have come since the start. */
    async awaitRequests(api, count, { timeout = 10000, signal } = {}) {
        const deadline = Date.now() + timeout;
        while (this.requests(api) < count) {
            signal?.throwIfAborted();
            if (Date.now() >= deadline) throw failure(null, abi.ERR_TIMEOUT);
            await new Promise((resolve) => { setTimeout(resolve, 2); });
        }
    }

    /* Ends the cluster and its connections. */
    close() {
        if (this.#handle === null) return;
        const handle = this.#handle;
        this.#handle = null;
        droppedHandles.unregister(this);
        abi.testbroker_free(handle);
    }

    [Symbol.dispose ?? Symbol.for('nodejs.dispose')]() { this.close(); }
    async [asyncDispose]() { this.close(); }
}

module.exports = { Cluster };
