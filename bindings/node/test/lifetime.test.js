'use strict';
/* Goal: clients cost nothing when they are idle, and nothing is left of them when they are gone,
 * however they go: closed, dropped, with their thread, or with the process.
 * Method: programs in processes of their own, whose end, time and memory are looked at. */
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { fork } = require('node:child_process');
const { Worker } = require('node:worker_threads');
const { Consumer, Producer, makeCluster, makeProducer, runNode, until } = require('./support.js');

const start = `
    const { Producer, Consumer, Admin } = require('sluice');
    const { Cluster } = require('sluice/testing');
    const cluster = new Cluster({ topics: { t: 3 } });
    const range = (n) => Array.from({ length: n }, (_, i) => 'value ' + i);
    const isAtRest = () => new Promise((resolve) => setTimeout(resolve, 1));
    async function collect() { for (let i = 0; i < 5; i++) { gc(); await isAtRest(); } }
`;
async function run(source, { args = [], ...options } = {}) {
    const result = await runNode(start + source, { args: ['--expose-gc', ...args], ...options });
    assert.equal(result.code, 0, result.stderr + result.stdout);
    return result;
}

test('idle clients do not keep the process alive', async () => {
    const { stdout } = await run(`
        const producer = new Producer(cluster.brokers);
        const consumer = new Consumer(cluster.brokers, { groupId: 'g', topics: ['t'], autoOffsetReset: 'earliest' });
        producer.send('t', 'v').then(async () => {
            (await consumer.poll()).finish();
            process.on('exit', () => console.log('end'));
        });
    `);
    assert.equal(stdout, 'end\n');
});

test('what is under way does: a send, a poll, a flush, a commit, a close', async () => {
    const { stdout } = await run(`
        const producer = new Producer(cluster.brokers);
        const consumer = new Consumer(cluster.brokers, { groupId: 'g', topics: ['t'] });
        const log = (word) => () => console.log(word);
        consumer.poll({ timeout: 50 }).then(log('poll')).then(() => consumer.commit([{ topic: 't', partition: 0, offset: 0 }]))
            .then(log('commit')).then(() => consumer.close()).then(log('close'))
            .then(() => producer.send('t', 'v')).then(log('send')).then(() => producer.flush()).then(log('flush'));
    `);
    assert.deepEqual(stdout.trim().split('\n'), ['poll', 'commit', 'close', 'send', 'flush']);
});

test('an idle client sleeps', { skip: process.platform !== 'linux' }, async () => {
    const { stdout } = await run(`
        const producer = new Producer(cluster.brokers);
        const consumer = new Consumer(cluster.brokers, { groupId: 'g', topics: ['t'], autoOffsetReset: 'earliest' });
        const fs = require('node:fs');
        /* How often threads were woken, and the time that they ran. */
        const measure = () => fs.readdirSync('/proc/self/task').map((id) => [id,
            Number(/^voluntary_ctxt_switches:\\s+(\\d+)/m.exec(fs.readFileSync('/proc/self/task/' + id + '/status', 'utf8'))[1])]);
        (async () => {
            await producer.send('t', 'v');
            (await consumer.poll()).finish();
            const waiting = consumer.poll({ timeout: 5000 });
            await new Promise((resolve) => setTimeout(resolve, 1000));
            const [before, cpu] = [new Map(measure()), process.cpuUsage()];
            await new Promise((resolve) => setTimeout(resolve, 3000));
            const { user, system } = process.cpuUsage(cpu);
            const wakes = measure().reduce((sum, [id, n]) => sum + n - (before.get(id) ?? 0), 0);
            console.log(JSON.stringify({ wakes, cpu: user + system }));
            await waiting;
        })();
    `);
    const { wakes, cpu } = JSON.parse(stdout);
    /* A client, its member of a group, a broker and the measuring itself, in three seconds. */
    assert.ok(wakes < 120, `${wakes} wakes`);
    assert.ok(cpu < 60000, `${cpu} us of CPU`);
});

test('a thousand clients opened and closed leave nothing', { skip: process.platform !== 'linux' }, async () => {
    const { stdout } = await run(`
        const fs = require('node:fs');
        const measure = async () => {
            await collect();
            return { files: fs.readdirSync('/proc/self/fd').length, threads: fs.readdirSync('/proc/self/task').length,
                memory: process.memoryUsage().rss };
        };
        async function open(count) {
            for (let i = 0; i < count; i++) {
                const client = i % 2 ? new Producer(cluster.brokers)
                    : new Consumer(cluster.brokers, { groupId: 'g' + i, topics: ['t'], groupLeaveOnClose: 'never' });
                if (i % 20 === 1) await client.send('t', 'v');
                client.metrics({ timeout: 1000 }).catch(() => {});
                await client.close({ timeout: 0 }).catch(() => {});
            }
        }
        (async () => {
            await open(200);
            const before = await measure();
            await open(1000);
            let after = await measure();
            /* A thread that has ended stays in the list for a moment. */
            for (let i = 0; i < 500 && after.threads > before.threads; i++) after = await measure();
            console.log(JSON.stringify([before, after]));
        })();
    `, { limit: 60000 });
    const [before, after] = JSON.parse(stdout);
    assert.ok(after.files <= before.files + 3, JSON.stringify([before, after]));
    assert.ok(after.threads <= before.threads, JSON.stringify([before, after]));
    assert.ok(after.memory - before.memory < 24e6, JSON.stringify([before, after]));
});

test('clients, batches and clusters that are dropped are collected, in any order', { skip: process.platform !== 'linux' }, async () => {
    const { stdout } = await run(`
        const fs = require('node:fs');
        const threads = () => fs.readdirSync('/proc/self/task').length;
        const shuffled = (list) => list.map((x) => [Math.random(), x]).sort((a, b) => a[0] - b[0]).map(([, x]) => x);
        async function make() {
            const own = new Cluster({ topics: { t: 1 } });
            const producer = new Producer(own.brokers, { logger: null });
            const consumer = new Consumer(own.brokers, { groupId: 'g', topics: ['t'], autoOffsetReset: 'earliest', logger: null });
            await producer.sendMany('t', range(10));
            const batch = await consumer.poll();
            const loop = consumer.records();
            return shuffled([own, producer, consumer, batch, loop, batch.record(3), batch.value(4)]);
        }
        (async () => {
            await (await make())[0];
            await collect();
            const before = threads();
            for (let i = 0; i < 20; i++) {
                const parts = await make();
                while (parts.length > 0) {
                    parts.pop();
                    if (i % 3 === 0) gc();
                    if (i % 4 === 0) await isAtRest();
                }
            }
            for (let i = 0; i < 200 && threads() > before; i++) await collect();
            console.log(threads() - before);
        })();
    `);
    assert.ok(Number(stdout) <= 0, `${stdout.trim()} threads are left`);
});

test('a client that is waited for is not collected', async () => {
    const { stdout } = await run(`
        (async () => {
            const result = (() => new Producer(cluster.brokers, { lingerMs: 100 }).send('t', 'v'))();
            const batch = (() => new Consumer(cluster.brokers, { groupId: 'g', topics: ['t'], autoOffsetReset: 'earliest' }).poll())();
            await collect();
            console.log((await result).offset, (await batch).length);
        })();
    `);
    assert.equal(stdout, '0n 1\n');
});

test('a process that ends with open clients ends at once', async () => {
    await run(`
        const producer = new Producer(cluster.brokers, { lingerMs: 10000, logger: null });
        producer.send('t', 'v').catch(() => {});
        new Consumer(cluster.brokers, { groupId: 'g', topics: ['t'] }).poll();
        setTimeout(() => process.exit(0), 50);
    `, { limit: 5000 });
});

test('worker threads have clients of their own', async (t) => {
    const cluster = makeCluster(t, { topics: { t: 4 } });
    const source = `
        const { parentPort, workerData } = require('node:worker_threads');
        const { Producer, Consumer } = require(workerData.here);
        (async () => {
            const producer = new Producer(workerData.brokers);
            await producer.sendMany('t', Array.from({ length: 1000 }, (_, i) => workerData.name + i));
            if (workerData.name % 2) await producer.close();
            const consumer = new Consumer(workerData.brokers, { groupId: 'g' + workerData.name, topics: ['t'], autoOffsetReset: 'earliest' });
            let count = 0;
            for await (const batch of consumer.batches()) if ((count += batch.length) === 4000) break;
            parentPort.postMessage(count);
        })();
    `;
    const producer = makeProducer(t, cluster);
    const workers = [0, 1, 2, 3].map((name) => new Worker(source, { eval: true, workerData: { name, here: path.join(__dirname, '..'), brokers: cluster.brokers } }));
    const counts = await Promise.all(workers.map((worker) => new Promise((resolve, reject) => {
        let count;
        worker.on('message', (message) => { count = message; });
        worker.on('error', reject);
        worker.on('exit', () => resolve(count));
    })));
    assert.deepEqual(counts, [4000, 4000, 4000, 4000]);
    await producer.send('t', 'the parent goes on');
});

test('child processes have clients of their own', async (t) => {
    const cluster = makeCluster(t);
    const producer = makeProducer(t, cluster);
    await producer.send('t', 'parent');
    const folder = fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'sluice-'));
    t.after(() => fs.rmSync(folder, { recursive: true }));
    fs.writeFileSync(path.join(folder, 'child.js'), `
        const { Producer } = require(process.argv[2]);
        const producer = new Producer(process.argv[3]);
        producer.send('t', 'child').then(() => producer.close()).then(() => process.disconnect());
    `);
    const codes = await Promise.all([1, 2].map(() => new Promise((resolve) => {
        fork(path.join(folder, 'child.js'), [path.join(__dirname, '..'), cluster.brokers]).on('exit', resolve);
    })));
    assert.deepEqual(codes, [0, 0]);
    await producer.send('t', 'parent');
    assert.deepEqual(cluster.read('t').map((record) => record.text()), ['parent', 'child', 'child', 'parent']);
});

test('two copies of the package, with two copies of the library, in one process', async (t) => {
    const cluster = makeCluster(t);
    const folder = fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'sluice-'));
    t.after(() => fs.rmSync(folder, { recursive: true }));
    const here = path.join(__dirname, '..');
    const [own, copy] = [process.env.SLUICE_LIBRARY, path.join(folder, 'libsluice-copy.so')];
    fs.copyFileSync(own, copy);
    for (const part of ['index.js', 'testing.js', 'package.json', 'lib']) {
        fs.cpSync(path.join(here, part), path.join(folder, part), { recursive: true });
    }
    fs.symlinkSync(path.join(here, 'node_modules'), path.join(folder, 'node_modules'));
    process.env.SLUICE_LIBRARY = copy;
    t.after(() => { process.env.SLUICE_LIBRARY = own; });
    const other = require(folder);
    assert.notEqual(other.Producer, Producer);
    const clients = [new other.Producer(cluster.brokers), new Consumer(cluster.brokers, { groupId: 'g', topics: ['t'], fromBeginning: true })];
    await clients[0].send('t', 'from one to the other');
    const batch = await clients[1].poll();
    assert.equal(batch.text(0), 'from one to the other');
    batch.finish();
    await Promise.all(clients.map((client) => client.close()));
});

test('a broker that is not there costs no CPU, and is told of', async () => {
    const { stdout } = await run(`
        const lines = [];
        const producer = new Producer('127.0.0.1:1', { logger: (level, line) => lines.push(line) });
        const sent = producer.send('t', 'v').catch((error) => error.outcome);
        (async () => {
            await new Promise((resolve) => setTimeout(resolve, 500));
            const cpu = process.cpuUsage();
            await new Promise((resolve) => setTimeout(resolve, 1500));
            const { user, system } = process.cpuUsage(cpu);
            const ready = await producer.ready({ timeout: 100 }).catch((error) => error.code);
            await producer.close({ timeout: 100 });
            console.log(JSON.stringify({ cpu: user + system, outcome: await sent, ready, lines }));
        })();
    `);
    const { cpu, outcome, ready, lines } = JSON.parse(stdout);
    assert.deepEqual([outcome, ready], ['not written', 'SLUICE_ERR_UNREACHABLE']);
    assert.ok(cpu < 60000, `${cpu} us of CPU`);
    assert.ok(lines.some((line) => line.includes('127.0.0.1:1')), lines.join('; '));
});

test('closing while everything is under way', async (t) => {
    const cluster = makeCluster(t, { topics: { t: 3 } });
    for (let i = 0; i < 30; i++) {
        const producer = new Producer(cluster.brokers, { logger: null });
        const consumer = new Consumer(cluster.brokers, { groupId: `g${i}`, topics: ['t'], logger: null });
        const results = Promise.allSettled([producer.sendMany('t', Array.from({ length: 500 }, () => 'v')), producer.flush(), consumer.poll(),
            consumer.commit([{ topic: 't', partition: 0, offset: 1 }]), producer.metrics(), consumer.partitions('t')]);
        if (i % 3 === 0) await new Promise((resolve) => { setImmediate(resolve); });
        await Promise.all([producer.close({ timeout: i % 2 ? 0 : 1000 }).catch(() => {}), consumer.close({ timeout: 1000 }).catch(() => {})]);
        for (const { status, reason } of await results) if (status === 'rejected') assert.match(reason.name, /Error$/);
    }
    await until('all requests have come', () => cluster.requests() > 0);
});
