'use strict';
/* The producer.
 *
 * send() puts the record into the pack of its topic. Packs cross to the library at the end of the
 * event loop's turn, or when they are large: a call for some hundred records. What the library has
 * no room for stays here, in order, until it says that there is.
 *
 * Outcomes come as one report a batch with the records' tags. A tag is the number of the pack and
 * the record's place in it, so that a report finds its promises without a look-up a record. A pack
 * that has crossed is a flight until each of its records has its outcome. */
const abi = require('./abi.js');
const channels = require('./channels.js');
const { Client, abortable } = require('./client.js');
const { DeliveryError, explain } = require('./errors.js');
const { Pack, PACK_RECORDS, PLACE_BITS } = require('./pack.js');
const { split, takeOptions } = require('./settings.js');

const CROSS_BYTES = 256 * 1024;
const CROSS_RECORDS = 1024;
const SPARE_PACKS = 8;
const HIGH = 2 ** (32 - PLACE_BITS);
const outcomes = { [abi.NOT_WRITTEN]: 'not written', [abi.MAYBE_WRITTEN]: 'maybe written' };

const report = Buffer.alloc(abi.sizes.delivery);
const reportWords = new Int32Array(report.buffer, report.byteOffset, report.length / 4);
const reportLongs = new BigInt64Array(report.buffer, report.byteOffset, report.length / 8);
const at = abi.places.delivery;
let tags = new Uint32Array(2048);

/* Where a record is. The offset is -1 when the broker did not tell it (acks=0). */
class Sent {
    #base;
    #index;
    constructor(topic, partition, base, index, timestamp) {
        this.topic = topic;
        this.partition = partition;
        this.timestamp = timestamp; // the broker's append time, or -1: the record keeps its own
        this.#base = base;
        this.#index = index;
    }
    get offset() { return this.#base < 0n ? -1n : this.#base + BigInt(this.#index); }
    toJSON() { return { ...this, offset: String(this.offset) }; }
    [Symbol.for('nodejs.util.inspect.custom')](depth, options, inspect) {
        return inspect({ ...this, offset: this.offset }, options);
    }
}

/* The promises of send(), one a record. */
class Singles {
    constructor() {
        this.resolves = [];
        this.rejects = [];
    }
    written(flight, place, count, delivery, base) {
        for (let i = 0; i < count; i++) {
            this.resolves[place + i](new Sent(flight.topic, delivery.partition, delivery.offset, base + i,
                delivery.timestamp));
        }
    }
    failed(place, count, error) {
        for (let i = 0; i < count; i++) this.rejects[place + i](error);
    }
}

/* The one promise of a sendMany, which may be several packs. */
class Group {
    constructor(topic, count) {
        this.topic = topic;
        this.left = count;
        this.parts = new Map(); // partition -> {topic, partition, count, baseOffset}
        this.failures = [];
        this.promise = new Promise((resolve, reject) => { Object.assign(this, { resolve, reject }); });
    }
    written(flight, place, count, delivery, base) {
        const offset = delivery.offset < 0n ? -1n : delivery.offset + BigInt(base);
        const part = this.parts.get(delivery.partition);
        if (part === undefined) {
            this.parts.set(delivery.partition,
                { topic: this.topic, partition: delivery.partition, count, baseOffset: offset });
        } else {
            part.count += count;
            if (offset < part.baseOffset) part.baseOffset = offset;
        }
        this.#settle(count);
    }
    failed(place, count, error, flight) {
        for (let i = 0; i < count; i++) this.failures.push({ index: flight.firstIndex + place + i, error });
        this.#settle(count);
    }
    #settle(count) {
        this.left -= count;
        if (this.left > 0) return;
        if (this.failures.length === 0) {
            this.resolve([...this.parts.values()]);
            return;
        }
        this.failures.sort((a, b) => a.index - b.index);
        const { error } = this.failures[0];
        const all = new DeliveryError(`${this.failures.length} records did not make it, the first: ${error.message}`,
            error.errno, error.outcome, this.topic, error.partition);
        all.failures = this.failures;
        this.reject(all);
    }
}

/* ---- the producer ---- */

class Producer extends Client {
    #open = new Map(); // topic -> {pack, owner}: what takes records
    #backlog = []; // {pack, owner, firstIndex, flight}: full packs in the order of their records
    #spare = new Map(); // topic -> an empty pack
    #flights = new Map(); // number -> {owner, topic, left, firstIndex}
    #nextNumber = 1;
    #pending = 0;
    #isScheduled = false;
    #isStuck = false; // the library had no room
    #drained = []; // who waits for the backlog to be gone

    constructor(brokers, options) {
        const { mine, settings } = split(takeOptions(brokers, options), ['logger'],
            { 'linger.ms': '0' }); // records of a turn of the loop cross together, and leave at once
        settings.set('delivery.reports', 'all');
        super(abi.PRODUCER, settings, mine);
    }

    /* Records without an outcome, those that have not crossed among them. */
    get pending() { return this.#pending; }

    /* send(topic, value, {key, headers, partition, timestamp, signal}): a promise of where the record
     * is. send({topic, messages}): of all messages, as sendMany. */
    send(topic, value, options) {
        if (typeof topic !== 'string') return this.#sendMessages(topic);
        const signal = options?.signal;
        if (signal !== undefined) return this.#sendAbortable(topic, value, options);
        return new Promise((resolve, reject) => { this.#add(topic, value, options, resolve, reject); });
    }

    #sendAbortable(topic, value, options) {
        return abortable(options.signal, (resolve, reject) => {
            this.#add(topic, value, options, resolve, reject);
            return () => {};
        });
    }

    #sendMessages({ topic, messages }) {
        if (!Array.isArray(messages)) return Promise.reject(new TypeError('send takes (topic, value) or {topic, messages}'));
        return this.sendMany(topic, messages);
    }

    /* Throwing here rejects the promise whose executor this runs in. */
    #add(topic, value, options, resolve, reject) {
        const { pack, owner } = this.#open.get(topic) ?? this.#openPack(topic);
        if (options === undefined) pack.add(value);
        else pack.add(value, options.key, options.headers, options.timestamp, options.partition);
        owner.resolves.push(resolve);
        owner.rejects.push(reject);
        if (this.#pending++ === 0) this.hold();
        if (pack.size >= CROSS_BYTES || pack.count >= CROSS_RECORDS) this.#crossAll();
        else if (!this.#isScheduled) this.#schedule();
    }

    #takePack(topic) {
        void this._handle; // opens the client, or throws when it is closed
        const pack = this.#spare.get(topic);
        if (pack === undefined) return new Pack(topic);
        this.#spare.delete(topic);
        pack.clear();
        return pack;
    }

    #openPack(topic) {
        if (typeof topic !== 'string' || topic === '') throw new TypeError('a topic has to have a name');
        const open = { pack: this.#takePack(topic), owner: new Singles() };
        this.#open.set(topic, open);
        return open;
    }

    #closePack(topic) {
        const open = this.#open.get(topic);
        if (open === undefined) return;
        this.#open.delete(topic);
        if (open.pack.count > 0) this.#backlog.push({ ...open, firstIndex: 0, number: 0 });
    }

    #schedule() {
        this.#isScheduled = true;
        setImmediate(() => {
            this.#isScheduled = false;
            this.#crossAll();
        });
    }

    /* Many records of one topic, in one call. records are values, or {value, key, headers, timestamp,
     * partition}; keys may come as a list of their own. Resolves to the partitions that they went to:
     * [{topic, partition, count, baseOffset}]. Rejects when all have their outcome and some did not
     * make it, with error.failures: [{index, error}]. */
    sendMany(topic, records, { partition, keys, signal } = {}) {
        if (signal?.aborted) return Promise.reject(signal.reason);
        if (records.length === 0) return Promise.resolve([]);
        const group = new Group(topic, records.length);
        try {
            this.#packMany(group, topic, records, partition, keys);
        } catch (error) {
            return Promise.reject(error);
        }
        if (this.#pending === 0) this.hold();
        this.#pending += records.length;
        this.#crossAll();
        if (signal === undefined) return group.promise;
        return abortable(signal, (resolve, reject) => {
            group.promise.then(resolve, reject);
            return () => {};
        });
    }

    /* All or nothing: what is wrong with a record is found before any has been handed on. */
    #packMany(group, topic, records, partition, keys) {
        const packs = [];
        let pack = null;
        for (let i = 0; i < records.length; i++) {
            const record = records[i];
            const isPlain = record === null || typeof record === 'string' || record instanceof Uint8Array;
            if (pack === null || pack.isFull) {
                pack = packs.length === 0 ? this.#takePack(topic) : new Pack(topic);
                packs.push({ pack, owner: group, firstIndex: i, number: 0 });
            }
            if (isPlain) pack.add(record, keys?.[i], undefined, undefined, partition);
            else pack.add(record.value, record.key ?? keys?.[i], record.headers, record.timestamp, record.partition ?? partition);
        }
        this.#closePack(topic);
        this.#backlog.push(...packs);
    }

    /* ---- crossing ---- */

    #crossAll() {
        for (const topic of this.#open.keys()) this.#closePack(topic);
        this.#crossBacklog();
    }

    #crossBacklog() {
        if (this.#isStuck || !this._isOpen) return;
        let done = 0;
        while (done < this.#backlog.length && this.#cross(this.#backlog[done])) done++;
        this.#backlog.splice(0, done);
        if (this.#backlog.length > 0) return;
        for (const resolve of this.#drained.splice(0)) resolve();
    }

    /* Whether all of a pack is accepted or refused. */
    #cross(item) {
        const { pack, owner } = item;
        if (item.number === 0) {
            item.number = this.#nextNumber++;
            this.#flights.set(item.number,
                { owner, topic: pack.topic, left: pack.count, firstIndex: item.firstIndex });
        }
        while (pack.next[0] < pack.count) {
            const code = pack.cross(this._handle, item.number);
            if (code === 0) break;
            if (code === abi.ERR_UNREAD && this.#readReports()) continue;
            if (code === abi.ERR_FULL || code === abi.ERR_UNREAD) {
                this.#isStuck = true;
                return false;
            }
            this.#refuse(item, code);
        }
        if (channels.send.hasSubscribers) {
            channels.send.publish({ client: this, topic: pack.topic, count: pack.count, bytes: pack.size });
        }
        if (this.#spare.size < SPARE_PACKS) this.#spare.set(pack.topic, pack);
        return true;
    }

    /* The library does not take record next[0]. */
    #refuse({ pack, number }, code) {
        const error = new DeliveryError(explain(this._handle, code), code, 'not written', pack.topic,
            pack.partitionOf(pack.next[0]));
        this.#settleFailed(number, pack.next[0], 1, error);
        pack.next[0]++;
    }

    _onRoom() {
        this.#isStuck = false;
        this.#crossBacklog();
    }

    _onWake() {
        this.#readReports();
        if (this.#isStuck && this.#backlog.length > 0) this._onRoom();
    }

    /* ---- outcomes ---- */

    /* Whether there were any. */
    #readReports() {
        const out = [null];
        const code = abi.producer_deliveries(this._handle, 0, out);
        if (code !== 0 || out[0] === null) return false;
        try {
            while (abi.deliveries_next(out[0], report, report.length) === 1) this.#readReport();
        } finally {
            abi.deliveries_free(out[0]);
        }
        return true;
    }

    #readReport() {
        const count = reportWords[at.count >> 2];
        if (tags.length < count * 2) tags = new Uint32Array(count * 4);
        abi.copyMemory(tags, reportLongs[at.tags >> 3], count * 8);
        const delivery = {
            outcome: reportWords[at.outcome >> 2], partition: reportWords[at.partition >> 2],
            offset: reportLongs[at.base_offset >> 3], timestamp: Number(reportLongs[at.timestamp_ms >> 3]),
        };
        const error = delivery.outcome === abi.WRITTEN ? null : this.#readFailure(delivery);
        /* Records of one pack that follow each other are settled together. */
        for (let i = 0; i < count;) {
            const low = tags[2 * i];
            const high = tags[2 * i + 1];
            let run = 1;
            while (i + run < count && tags[2 * (i + run)] === low + run && tags[2 * (i + run) + 1] === high) run++;
            const place = low % PACK_RECORDS;
            run = Math.min(run, PACK_RECORDS - place);
            const number = high * HIGH + Math.floor(low / PACK_RECORDS);
            if (error === null) this.#settleWritten(number, place, run, delivery, i);
            else this.#settleFailed(number, place, run, error);
            i += run;
        }
        if (channels.delivery.hasSubscribers) this.#publish(delivery, count);
    }

    #readFailure(delivery) {
        const code = reportWords[at.code >> 2];
        const pointer = reportLongs[at.text >> 3];
        const message = pointer === 0n ? explain(null, code) : abi.textAt(pointer);
        const topic = abi.textAt(reportLongs[at.topic >> 3]);
        return new DeliveryError(message, code, outcomes[delivery.outcome], topic, delivery.partition);
    }

    #publish(delivery, count) {
        channels.delivery.publish({
            client: this, topic: abi.textAt(reportLongs[at.topic >> 3]), partition: delivery.partition, count,
            outcome: outcomes[delivery.outcome] ?? 'written', code: reportWords[at.code >> 2],
            baseOffset: delivery.offset,
        });
    }

    #settleWritten(number, place, count, delivery, base) {
        const flight = this.#flights.get(number);
        flight.owner.written(flight, place, count, delivery, base);
        this.#land(number, flight, count);
    }

    #settleFailed(number, place, count, error) {
        const flight = this.#flights.get(number);
        flight.owner.failed(place, count, error, flight);
        this.#land(number, flight, count);
    }

    #land(number, flight, count) {
        flight.left -= count;
        if (flight.left === 0) this.#flights.delete(number);
        this.#pending -= count;
        if (this.#pending === 0) this.release();
    }

    /* ---- waiting ---- */

    /* Resolves when everything has crossed: what a loop that sends more than the network takes
     * awaits now and then. Records still pending are in the library's own budget, buffer.memory. */
    async drain({ signal } = {}) {
        this.#crossAll();
        if (this.#backlog.length === 0) return;
        await abortable(signal, (resolve) => {
            this.#drained.push(resolve);
            return () => { this.#drained = this.#drained.filter((waiting) => waiting !== resolve); };
        });
    }

    /* Resolves when every record sent before has its outcome, and rejects if some did not make it. */
    async flush({ timeout = -1, signal } = {}) {
        await this.drain({ signal });
        if (!this._isOpen) return;
        await this._operate((handle, out) => abi.producer_flush(handle, timeout, out), { signal });
    }

    /* Drops what was never sent to a broker: those promises reject. */
    discard() {
        const items = this.#backlog.splice(0);
        for (const item of items) this.#dropItem(item);
        if (this._isOpen) this._must(abi.producer_discard(this._handle));
    }

    #dropItem(item) {
        const { pack } = item;
        if (item.number === 0) {
            item.number = this.#nextNumber++;
            this.#flights.set(item.number,
                { owner: item.owner, topic: pack.topic, left: pack.count, firstIndex: item.firstIndex });
        }
        const from = pack.next[0];
        this.#settleFailed(item.number, from, pack.count - from, new DeliveryError(
            explain(null, abi.ERR_CLOSED), abi.ERR_CLOSED, 'not written', pack.topic, pack.partitionOf(from)));
    }

    /* The Java client's choice of a partition for a key. */
    static partition(key, partitions) {
        const bytes = typeof key === 'string' ? Buffer.from(key) : key;
        return abi.producer_partition(bytes, bytes.length, partitions);
    }

    connect(options) { return this.ready(options); }
    disconnect(options) { return this.close(options); }

    async _beforeClose(timeout) {
        this.#crossAll();
        if (this.#backlog.length === 0) return;
        let timer;
        const late = new Promise((resolve) => { timer = setTimeout(resolve, timeout); });
        await Promise.race([this.drain(), late]);
        clearTimeout(timer);
    }

    _afterClose() {
        if (!this._isOpen) return;
        while (this.#readReports());
        for (const item of this.#backlog.splice(0)) this.#dropItem(item);
        for (const resolve of this.#drained.splice(0)) resolve();
    }
}

module.exports = { Producer };
