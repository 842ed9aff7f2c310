/* A real-time dashboard: a web page that plots a topic while it is written to.
 *
 *     node server.mjs [--port 8080] [--brokers host:9092] [--topic orders] [--cities 5]
 *
 * Without --brokers it starts the bundled cluster and a shop that sends orders, {city, amount}, so that
 * there is something to see. One consumer reads for all pages: it counts by city in windows of a quarter
 * of a second, and each window goes to every page as one server-sent event. A page that comes later gets the last
 * minute first. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { Consumer, Producer } from 'sluice';
import { Cluster } from 'sluice/testing';

const WINDOW_MS = 250;
const KEPT = 240; // windows that a new page is shown

const { values: options } = parseArgs({
    options: {
        port: { type: 'string', default: '8080' },
        brokers: { type: 'string' },
        topic: { type: 'string', default: 'orders' },
        cities: { type: 'string', default: '5' },
    },
});
const stopping = new AbortController();

/* ---- what is to be seen, when nobody brings any ---- */

const names = ['Aarhus', 'Bergen', 'Cork', 'Delft', 'Evora', 'Faro', 'Ghent', 'Graz'];

async function runShop(brokers, cities) {
    const producer = new Producer(brokers, { compressionType: 'lz4' });
    for (let t = 0; !stopping.signal.aborted; t++) {
        const orders = [];
        for (let i = 0; i < cities; i++) {
            const count = Math.round(20 + 15 * Math.sin(t / 20 + i) + Math.random() * 10);
            for (let n = 0; n < count; n++) {
                orders.push({ key: names[i], value: JSON.stringify({ city: names[i], amount: Math.round(Math.random() * 10000) / 100 }) });
            }
        }
        await producer.sendMany(options.topic, orders);
        await new Promise((resolve) => { setTimeout(resolve, 100); });
    }
    await producer.close();
}

/* ---- counting ---- */

const pages = new Set(); // responses that are open
const windows = []; // {time, cities: {name: {count, amount}}}, the last KEPT
let current = {};

function count(batch) {
    for (const record of batch) {
        const { city, amount } = record.json();
        const sum = (current[city] ??= { count: 0, amount: 0 });
        sum.count++;
        sum.amount += amount;
    }
}

function endWindow() {
    const window = { time: Date.now(), cities: current };
    current = {};
    windows.push(window);
    if (windows.length > KEPT) windows.shift();
    for (const page of pages) page.write(eventOf([window]));
}

const eventOf = (list) => `data: ${JSON.stringify(list)}\n\n`;

async function readTopic(brokers) {
    const consumer = new Consumer(brokers, { groupId: `dashboard-${process.pid}`, topics: [options.topic], enableAutoCommit: false });
    try {
        for await (const batch of consumer.batches({ signal: stopping.signal })) count(batch);
    } catch (error) {
        if (!stopping.signal.aborted) throw error;
    } finally {
        await consumer.close();
    }
}

/* ---- the web ---- */

const page = await readFile(new URL('page.html', import.meta.url));

function answer(request, response) {
    if (request.url === '/events') {
        response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
        response.write(eventOf(windows));
        pages.add(response);
        response.on('close', () => pages.delete(response));
    } else if (request.url === '/') {
        response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
        response.end(page);
    } else {
        response.writeHead(404).end();
    }
}

const cluster = options.brokers === undefined ? new Cluster({ topics: { [options.topic]: 4 } }) : null;
const brokers = options.brokers ?? cluster.brokers;
const server = createServer(answer);
const timer = setInterval(endWindow, WINDOW_MS);
const work = [readTopic(brokers)];
if (cluster !== null) work.push(runShop(brokers, Math.min(Number(options.cities), names.length)));
server.listen(Number(options.port), '127.0.0.1', () => {
    console.log(`http://127.0.0.1:${server.address().port}/ plots ${options.topic}`);
});

async function stop() {
    stopping.abort();
    clearInterval(timer);
    for (const open of pages) open.end();
    server.close();
    await Promise.all(work);
    cluster?.close();
}
process.once('SIGINT', stop);
process.once('SIGTERM', stop);
