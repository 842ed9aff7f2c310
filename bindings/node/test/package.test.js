'use strict';
/* Goal: the package is what it says: modules of both kinds, types, no install script, the library's own
 * layouts and numbers, and channels for whoever watches. */
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const channel = require('node:diagnostics_channel');
const { Admin, SluiceError, makeAdmin, makeCluster, makeConsumer, makeProducer, runNode, take, until, version } = require('./support.js');

const here = path.join(__dirname, '..');

test('as a module of either kind it is the same thing', async () => {
    const { stdout, stderr } = await runNode(`
        import sluice, { Producer, Kafka } from 'sluice';
        import { Cluster } from 'sluice/testing';
        import { createRequire } from 'node:module';
        const require = createRequire(import.meta.url ?? '${here}/x.mjs');
        const cluster = new Cluster({ topics: { t: 1 } });
        const producer = new Producer(cluster.brokers);
        const { offset } = await producer.send('t', 'v');
        await producer.close();
        console.log(offset, require('sluice').Producer === Producer, sluice.Kafka === Kafka);
    `, { args: ['--input-type=module'] });
    assert.equal(stdout, '0n true true\n', stderr);
});

test('every name that is exported is a named export of the module too, and has a type', async () => {
    const types = { '.': 'index', './testing': 'testing' };
    for (const file of Object.values(types)) {
        const names = Object.keys(require(path.join(here, `${file}.js`))).sort();
        const named = fs.readFileSync(path.join(here, `${file}.mjs`), 'utf8').match(/\{ ([^}]*) \}/)[1].split(', ').sort();
        assert.deepEqual(named, names);
        const declared = fs.readFileSync(path.join(here, `${file}.d.ts`), 'utf8');
        for (const name of names) assert.match(declared, new RegExp(`export (class|const) ${name}\\b`));
    }
});

const compiler = path.join(here, 'node_modules', '.bin', 'tsc');
test('the types are right', { skip: !fs.existsSync(compiler) && 'typescript is not installed' }, () => {
    execFileSync(compiler, ['-p', path.join(__dirname, 'tsconfig.json')], { stdio: ['ignore', 'inherit', 'inherit'] });
});

test('nothing runs at installation, and nothing but koffi is needed', () => {
    const { scripts, dependencies, engines } = JSON.parse(fs.readFileSync(path.join(here, 'package.json'), 'utf8'));
    assert.equal(scripts, undefined);
    assert.deepEqual(Object.keys(dependencies), ['koffi']);
    assert.equal(engines.node, '>=18');
    assert.doesNotMatch(fs.readFileSync(path.join(here, 'package-lock.json'), 'utf8'), /"resolved"/);
});

test('the version is the library\'s, and prototypes take what is given', () => {
    const abi = require('../lib/abi.js');
    assert.equal(version, JSON.parse(fs.readFileSync(path.join(here, 'package.json'), 'utf8')).version);
    const described = require('../lib/abi.json');
    for (const name of Object.keys(described.functions)) assert.equal(typeof abi[name.slice('sluice_'.length)], 'function', name);
    assert.deepEqual([abi.ERR_TIMEOUT, abi.EVENT_OP, abi.sizes.row], [-106, 51, 48]);
});

test('a library that is not there is told of by its name', async () => {
    const { code, stderr } = await runNode(`process.env.SLUICE_LIBRARY = '/nowhere/libsluice.so'; require('sluice');`);
    assert.equal(code, 1);
    assert.match(stderr, /nowhere\/libsluice\.so cannot be loaded/);
});

test('admin: topics are made and deleted, offsets looked up', async (t) => {
    const cluster = makeCluster(t, { topics: {}, settings: { autoCreateTopicsEnable: false } });
    const admin = makeAdmin(t, cluster);
    assert.ok(admin instanceof Admin);
    await admin.createTopic('t', { partitions: 2, replicas: 1, settings: { 'retention.ms': 1000 } });
    assert.equal(await admin.partitions('t'), 2);
    await assert.rejects(admin.createTopic('t'), (error) => error instanceof SluiceError && error.code === 'TOPIC_ALREADY_EXISTS');
    cluster.append('t', 'v', { partition: 1 });
    const offsets = await admin.offsets([
        { topic: 't', partition: 0, offset: 'latest' }, { topic: 't', partition: 1, offset: 'latest' },
    ]);
    assert.deepEqual(offsets.map(({ offset, code }) => [Number(offset), code]), [[0, 0], [1, 0]]);
    await admin.deleteTopic('t');
    await assert.rejects(admin.deleteTopic('t'), { errno: 3 });
    await assert.rejects(admin.partitions('nothing', { timeout: 1000 }), { errno: 3 });
});

test('channels tell what happens', async (t) => {
    const heard = {};
    for (const name of ['producer:send', 'producer:delivery', 'consumer:batch', 'consumer:rebalance', 'client:event', 'client:log']) {
        const listen = (message) => { (heard[name] ??= []).push(message); };
        channel.subscribe(`sluice:${name}`, listen);
        t.after(() => channel.unsubscribe(`sluice:${name}`, listen));
    }
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster);
    await Promise.all([producer.send('t', 'a'), producer.send('t', 'bc')]);
    const consumer = makeConsumer(t, cluster, { groupId: 'g', topics: ['t'], logLevel: 'debug', onRebalance: () => {} });
    await take(consumer, 2);
    await consumer.close();
    const { client, ...sent } = heard['producer:send'][0];
    assert.equal(client, producer);
    assert.deepEqual(sent, { topic: 't', count: 2, bytes: 3 });
    const { client: same, ...delivery } = heard['producer:delivery'][0];
    assert.equal(same, producer);
    assert.deepEqual(delivery, { topic: 't', partition: 0, count: 2, outcome: 'written', code: 0, baseOffset: 0n });
    assert.equal(heard['consumer:batch'][0].batch.length, 2);
    assert.deepEqual(heard['consumer:rebalance'][0].partitions, [{ topic: 't', partition: 0 }]);
    cluster.broker(1, 'down');
    producer.send('t', 'late').catch(() => {});
    await until('the lost broker is told of', () => heard['client:event']?.some(({ kind, code }) => kind === 'broker' && code !== 0));
    assert.ok(heard['client:log'].every(({ level, line }) => level > 0 && line !== ''));
});

test('headers in JavaScript are those of the library', () => {
    const koffi = require('koffi');
    const { encodeHeaders, decodeHeaders } = require('../lib/headers.js');
    const library = koffi.load(process.env.SLUICE_LIBRARY);
    const header = koffi.struct({ name: 'void *', value: 'void *', name_size: 'uint32_t', value_size: 'int32_t' });
    const write = library.func('sluice_headers_write', 'int64_t', [koffi.pointer(header), 'int32_t', 'void *', 'size_t']);
    for (const size of [0, 1, 63, 64, 127, 128, 8191, 8192, 20000, 70000]) {
        const pairs = [['n'.repeat(Math.max(size % 300, 1)), Buffer.alloc(size, 1)], ['nothing', null], ['ü', Buffer.from('€')]];
        const ours = encodeHeaders(pairs);
        const theirs = Buffer.alloc(ours.length + 10);
        const list = pairs.map(([name, value]) => {
            const bytes = Buffer.from(name);
            return { name: bytes, value, name_size: bytes.length, value_size: value === null ? -1 : value.length };
        });
        assert.equal(Number(write(list, list.length, theirs, theirs.length)), ours.length);
        assert.deepEqual(theirs.subarray(0, ours.length), ours);
        assert.deepEqual(decodeHeaders(ours), pairs);
    }
});
