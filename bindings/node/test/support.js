'use strict';
/* What the tests share. The library is that of BUILD, unless SLUICE_LIBRARY names one. */
const path = require('node:path');
const { execFile } = require('node:child_process');
const { setTimeout: sleep } = require('node:timers/promises');

const root = path.join(__dirname, '..', '..', '..');
const suffix = process.platform === 'darwin' ? 'dylib' : 'so';
process.env.SLUICE_LIBRARY = path.resolve(
    process.env.SLUICE_LIBRARY ?? path.join(root, process.env.BUILD ?? 'build', `libsluice.${suffix}`));

const sluice = require('..');
const { Cluster } = require('../testing.js');

/* What a test leaves behind is closed in the order in which it was not made. */
const stacks = new WeakMap();
function closeAfter(t, close) {
    if (!stacks.has(t)) {
        stacks.set(t, []);
        t.after(async () => { for (const one of stacks.get(t).reverse()) await one(); });
    }
    stacks.get(t).push(close);
}

/* A cluster for one test. */
function makeCluster(t, options) {
    const cluster = new Cluster({
        topics: { t: 1 }, ...options,
        settings: { groupConsumerHeartbeatIntervalMs: 100, ...options?.settings },
    });
    closeAfter(t, () => cluster.close());
    return cluster;
}

const lines = []; // that clients logged: shown by whoever misses something
const logger = (level, line) => { lines.push(`${level} ${line}`); };

/* A client for one test, closed after it. */
function opened(t, client) {
    closeAfter(t, () => client.close({ timeout: 5000 }));
    return client;
}
const makeProducer = (t, cluster, options) =>
    opened(t, new sluice.Producer(cluster.brokers, { logger, ...options }));
const makeConsumer = (t, cluster, options) =>
    opened(t, new sluice.Consumer(cluster.brokers, { logger, autoOffsetReset: 'earliest', fetchMaxWaitMs: 20, ...options }));
const makeAdmin = (t, cluster, options) =>
    opened(t, new sluice.Admin(cluster.brokers, { logger, ...options }));

/* Waits for a condition; fails when it does not come. */
async function until(what, holds, limit = 10000) {
    const deadline = Date.now() + limit;
    while (!await holds()) {
        if (Date.now() > deadline) throw new Error(`it never came that ${what}; log: ${lines.join('; ')}`);
        await sleep(2);
    }
}

/* The next `count` records. */
async function take(consumer, count) {
    const records = [];
    if (count === 0) return records;
    for await (const record of consumer) {
        records.push(record);
        if (records.length === count) {
            record.mark();
            break;
        }
    }
    return records;
}

/* Runs a program in a process of its own; resolves to {code, stdout, stderr}. */
function runNode(source, { args = [], limit = 20000 } = {}) {
    return new Promise((resolve) => {
        execFile(process.execPath, [...args, '-e', source], { timeout: limit, cwd: path.join(__dirname, '..') },
            (error, stdout, stderr) => resolve({ code: error === null ? 0 : error.code ?? error.signal, stdout, stderr }));
    });
}

module.exports = { ...sluice, Cluster, closeAfter, makeCluster, makeProducer, makeConsumer, makeAdmin, until, take, runNode, root, lines };
