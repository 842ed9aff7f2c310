'use strict';
/* Goal: the dashboard shows what is written to its topic, while it is written.
 * Method: the example in a process of its own; its stream of events is read as a page reads it, and where
 * there is a browser the page itself is opened and looked at. */
const test = require('node:test');
const assert = require('node:assert/strict');
const path = require('node:path');
const os = require('node:os');
const fs = require('node:fs');
const { spawn, spawnSync } = require('node:child_process');
const { closeAfter, makeCluster, makeProducer, until } = require('./support.js');

const program = path.join(__dirname, '..', 'examples', 'dashboard', 'server.mjs');

/* Starts the example; resolves to its address when it serves. */
function serve(t, ...args) {
    const child = spawn(process.execPath, [program, '--port', '0', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => { child.on('exit', resolve); });
    closeAfter(t, async () => {
        child.kill('SIGTERM');
        assert.equal(await ended, 0);
    });
    return new Promise((resolve, reject) => {
        child.stdout.on('data', (text) => resolve(/http:\S+/.exec(text)[0]));
        child.on('error', reject);
    });
}

async function* eventsOf(address, signal) {
    const response = await fetch(`${address}events`, { signal });
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of response.body) {
        text += decoder.decode(chunk, { stream: true });
        for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
            yield* JSON.parse(text.slice('data: '.length, end));
        }
    }
}

test('what is written is on the page a moment later', async (t) => {
    const cluster = makeCluster(t, { topics: { sales: 2 } });
    const producer = makeProducer(t, cluster);
    const address = await serve(t, '--brokers', cluster.brokers, '--topic', 'sales');
    assert.match(await (await fetch(address)).text(), /<canvas id="plot">/);
    assert.equal((await fetch(`${address}nothing`)).status, 404);
    /* The consumer begins at the end: what is sent until it has come counts. */
    const abort = new AbortController();
    let sent = 0;
    const timer = setInterval(() => {
        producer.send('sales', JSON.stringify({ city: 'Rome', amount: 2.5 })).catch(() => {});
        sent++;
    }, 10);
    let [count, amount] = [0, 0];
    for await (const { cities } of eventsOf(address, abort.signal)) {
        count += cities.Rome?.count ?? 0;
        amount += cities.Rome?.amount ?? 0;
        if (count >= 20) break;
    }
    abort.abort();
    clearInterval(timer);
    assert.equal(amount, count * 2.5);
    assert.ok(count <= sent);
});

test('by itself it has a shop to show', async (t) => {
    const address = await serve(t, '--cities', '3');
    const seen = new Set();
    for await (const { cities } of eventsOf(address)) {
        for (const city of Object.keys(cities)) seen.add(city);
        if (seen.size === 3) break;
    }
});

const browser = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => spawnSync(name, ['--version']).status === 0);

/* A browser, spoken to through its pipe; resolves to ask(method, parameters). */
async function browse(t, address) {
    const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-browser-'));
    const child = spawn(browser, ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-pipe',
        `--user-data-dir=${profile}`], { detached: true, stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    const ended = new Promise((resolve) => { child.on('exit', resolve); });
    closeAfter(t, async () => {
        /* It and the processes that it started, which write to the profile as well; those go on for a moment. */
        process.kill(-child.pid, 'SIGKILL');
        await ended;
        fs.rmSync(profile, { recursive: true, force: true, maxRetries: 20 });
    });
    const asked = new Map();
    let text = '';
    child.stdio[4].setEncoding('utf8').on('data', (part) => {
        text += part;
        for (let end; (end = text.indexOf('\0')) >= 0; text = text.slice(end + 1)) {
            const { id, result, error } = JSON.parse(text.slice(0, end));
            if (error !== undefined) asked.get(id)?.reject(new Error(error.message));
            else asked.get(id)?.resolve(result);
        }
    });
    let last = 0;
    const ask = (method, params, sessionId) => new Promise((resolve, reject) => {
        asked.set(++last, { resolve, reject });
        child.stdio[3].write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
    });
    const { targetId } = await ask('Target.createTarget', { url: address });
    const { sessionId } = await ask('Target.attachToTarget', { targetId, flatten: true });
    return async (expression) => (await ask('Runtime.evaluate', { expression, returnByValue: true }, sessionId)).result.value;
}

test('a browser plots it', { skip: browser === undefined && 'there is no chromium' }, async (t) => {
    const address = await serve(t, '--cities', '4');
    const evaluate = await browse(t, address);
    const readRows = async () => JSON.parse(await evaluate(
        'JSON.stringify([...document.querySelectorAll("#rows tr")].map((row) => [...row.cells].map((cell) => cell.textContent)))'));
    await until('there is a row a city', async () => (await readRows()).length === 4, 30000);
    const first = new Map((await readRows()).map(([city, , count]) => [city, Number(count)]));
    assert.deepEqual([...first.keys()].sort(), ['Aarhus', 'Bergen', 'Cork', 'Delft']);
    await until('they count on', async () => (await readRows()).every(([city, , count]) => Number(count) > first.get(city)), 30000);
    /* Lines in at least four colors, those of the cities. */
    const countColors = () => evaluate(`(() => {
        const { width, height } = document.querySelector('canvas');
        const { data } = document.querySelector('canvas').getContext('2d').getImageData(0, 0, width, height);
        const seen = new Map();
        for (let i = 0; i < data.length; i += 4) {
            const color = data.slice(i, i + 3).join();
            if (data[i + 3] === 255) seen.set(color, (seen.get(color) ?? 0) + 1);
        }
        return [...seen.values()].filter((count) => count > 20).length;
    })()`);
    await until('there is a line a city', async () => (await countColors()) >= 4, 30000);
});
