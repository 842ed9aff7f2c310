'use strict';
/* What a poll returned, copied once into memory of JavaScript's own: the bytes of all records in one
 * buffer, and a row of numbers for each. Records are views that read their row when asked.
 *
 * The library's own batch is kept until it is said what was processed: finish (all of it), retry
 * (what was marked) or release (nothing is said). */
const abi = require('./abi.js');
const { droppedHandles } = require('./client.js');
const { failure } = require('./errors.js');
const { decodeHeaders } = require('./headers.js');

const ROW = abi.sizes.row;
const WORDS = ROW / 4;
const LONGS = ROW / 8;
const at = {};
for (const [name, place] of Object.entries(abi.places.row)) at[name] = place >> 2;
const OFFSET = abi.places.row.offset >> 3;
const TIMESTAMP = abi.places.row.timestamp_ms >> 3;

/* How many bytes a record had, of late; and some for the first. */
let usual = 256;

/* Copies all records of a batch: its bytes, and its rows. */
function copyOut(handle, count) {
    const rows = Buffer.allocUnsafeSlow(Math.max(count * ROW, ROW));
    let data = Buffer.allocUnsafeSlow(Math.ceil(count * usual * 1.1) + 4096);
    let used = 0;
    let done = 0;
    const out = [0];
    while (done < count) {
        const n = abi.batch_pack(handle, data.subarray(used), data.length - used, rows.subarray(done * ROW),
            count - done, out);
        if (n > 0) {
            if (used > 0) movePlaces(rows, done, n, used);
            used += Number(out[0]);
            done += n;
        } else if (n === 0) {
            break;
        } else if (n !== abi.ERR_TOO_BIG) {
            return { error: n, rows, data, count: done };
        }
        if (done < count) {
            const needed = n === abi.ERR_TOO_BIG ? Number(out[0]) : 0;
            const guess = done === 0 ? 0 : Math.ceil((used / done) * (count - done) * 1.1);
            const larger = Buffer.allocUnsafeSlow(used + Math.max(needed, guess, 4096));
            data.copy(larger, 0, 0, used);
            data = larger;
        }
    }
    if (done > 0) usual = used / done;
    return { error: 0, rows, data, count: done };
}

/* Rows of a later part say their places from that part's start. */
function movePlaces(rows, from, count, by) {
    const words = new Int32Array(rows.buffer, rows.byteOffset + from * ROW, count * WORDS);
    for (let i = 0; i < words.length; i += WORDS) {
        if (words[i + at.key_at] >= 0) words[i + at.key_at] += by;
        if (words[i + at.value_at] >= 0) words[i + at.value_at] += by;
        if (words[i + at.headers_at] >= 0) words[i + at.headers_at] += by;
    }
}

/* One record of a batch. What it has is read when it is asked for. */
class Record {
    #batch;
    #index;
    constructor(batch, index) {
        this.#batch = batch;
        this.#index = index;
    }
    get topic() { return this.#batch.partitionOf(this.#index).topic; }
    get partition() { return this.#batch.partitionOf(this.#index).partition; }
    get offset() { return this.#batch.offset(this.#index); }
    get timestamp() { return this.#batch.timestamp(this.#index); }
    get key() { return this.#batch.key(this.#index); }
    get value() { return this.#batch.value(this.#index); }
    /* {name: Buffer or null}; of a name that is there several times the last, as `headerList` has all */
    get headers() { return Object.fromEntries(this.headerList); }
    get headerList() { return this.#batch.headers(this.#index); }
    get size() { return this.#batch.size(this.#index); }
    /* The value as text; null for a tombstone. */
    text() { return this.#batch.text(this.#index); }
    json() { return JSON.parse(this.text()); }
    /* Says that this record and those before it in its partition are processed. */
    mark() { this.#batch.mark(this.#index); }
    toJSON() {
        return {
            topic: this.topic, partition: this.partition, offset: String(this.offset),
            timestamp: this.timestamp, key: this.key?.toString() ?? null, value: this.text(),
        };
    }
    [Symbol.for('nodejs.util.inspect.custom')](depth, options, inspect) {
        const { topic, partition, offset, timestamp, key, value, headers } = this;
        return `Record ${inspect({ topic, partition, offset, timestamp, key, value, headers }, options)}`;
    }
}

class Batch {
    #handle;
    #words;
    #longs;
    #consumer;
    #partitions = null;

    constructor(handle, consumer) {
        this.#handle = handle;
        this.#consumer = consumer;
        droppedHandles.register(this, { give: abi.batch_free, handle }, this);
        const { error, rows, data, count } = copyOut(handle, abi.batch_count(handle));
        this.error = error; // of the record that ended the walk; the next poll tells it
        this.length = count;
        this.data = data;
        this.rows = rows;
        this.#words = new Int32Array(rows.buffer, rows.byteOffset, rows.length / 4);
        this.#longs = new BigInt64Array(rows.buffer, rows.byteOffset, rows.length / 8);
    }

    get isOpen() { return this.#handle !== null; }

    /* The parts of the batch, one a partition, in the order of its records: [{topic, partition, start,
     * count, firstOffset, nextOffset, highWatermark, atEnd, leaderEpoch}]. */
    get partitions() {
        this.#partitions ??= this.#readPartitions();
        return this.#partitions;
    }

    #readPartitions() {
        const parts = [];
        let start = 0;
        for (let i = 0, out = {}; abi.batch_slice(this.#open(), i, out, abi.sizes.slice) === 1; i++, out = {}) {
            const count = Math.min(out.count, this.length - start);
            parts.push({
                topic: out.topic, partition: out.partition, start, count,
                firstOffset: BigInt(out.first_offset), nextOffset: BigInt(out.next_offset),
                highWatermark: BigInt(out.high_watermark), atEnd: out.at_end === 1,
                leaderEpoch: out.leader_epoch,
            });
            start += count;
        }
        return parts;
    }

    #open() {
        if (this.#handle === null) throw new Error('the batch was given back');
        return this.#handle;
    }

    /* ---- records, by their place in the batch ---- */

    record(i) { return new Record(this, i); }
    * [Symbol.iterator]() { for (let i = 0; i < this.length; i++) yield new Record(this, i); }
    partitionOf(i) { return this.partitions[this.#words[i * WORDS + at.slice]]; }
    offset(i) { return this.#longs[i * LONGS + OFFSET]; }
    timestamp(i) { return Number(this.#longs[i * LONGS + TIMESTAMP]); }
    key(i) { return this.#part(this.#words[i * WORDS + at.key_at], this.#words[i * WORDS + at.key_size]); }
    value(i) { return this.#part(this.#words[i * WORDS + at.value_at], this.#words[i * WORDS + at.value_size]); }

    #part(place, size) { return size < 0 ? null : this.data.subarray(place, place + size); }

    text(i) {
        const place = this.#words[i * WORDS + at.value_at];
        const size = this.#words[i * WORDS + at.value_size];
        return size < 0 ? null : this.data.utf8Slice(place, place + size);
    }

    /* [name, Buffer or null] pairs. */
    headers(i) {
        const size = this.#words[i * WORDS + at.headers_size];
        return size <= 0 ? [] : decodeHeaders(this.#part(this.#words[i * WORDS + at.headers_at], size));
    }

    size(i) {
        const r = i * WORDS;
        return Math.max(this.#words[r + at.key_size], 0) + Math.max(this.#words[r + at.value_size], 0);
    }

    /* All values, or all of one partition's part. */
    values({ start = 0, count = this.length - start } = {}) {
        const values = new Array(count);
        for (let i = 0; i < count; i++) values[i] = this.value(start + i);
        return values;
    }

    /* ---- giving it back ---- */

    /* Says that record i and those before it in its partition are processed. Whether that still
     * counts: not when the partition was sought or taken away. */
    mark(i) {
        const slice = this.#words[i * WORDS + at.slice];
        return this.markPart(slice, i - this.partitions[slice].start + 1);
    }

    /* The first count records of a part; -1: all of it. */
    markPart(part, count = -1) {
        const code = abi.batch_mark(this.#open(), part, count);
        if (code !== 0 && code !== abi.ERR_STALE) throw failure(null, code);
        return code === 0;
    }

    /* All of it is processed. */
    finish() { this.#give(abi.batch_finish); }
    /* What is not marked comes again. */
    retry() { this.#give(abi.batch_retry); }
    /* Nothing is said of processing: no commit passes what it held. */
    release() { this.#give(abi.batch_free); }

    /* What finish says of the walk, the next poll says too. */
    #give(give) {
        if (this.#handle === null) return;
        void this.partitions; // records outlive the library's batch
        const handle = this.#handle;
        this.#handle = null;
        droppedHandles.unregister(this);
        give(handle);
        this.#consumer?._onGivenBack(this);
    }

    [Symbol.dispose ?? Symbol.for('nodejs.dispose')]() { this.release(); }
}

module.exports = { Batch, Record };
