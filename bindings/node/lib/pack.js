'use strict';
/* Records of one topic on their way to the library: their bytes one after another, their sizes in
 * columns. A pack crosses in one call, however many records it has. */
const abi = require('./abi.js');
const { encodeHeaders } = require('./headers.js');

const at = abi.places.packed;
const FIRST_BYTES = 64 * 1024;
const FIRST_COUNT = 1024;
const PLACE_BITS = 20; // of a tag: a record's place in its pack
const PACK_RECORDS = 2 ** PLACE_BITS;
const MOST_PARTITION = 2 ** 31 - 1;

/* A column whose absence means the same for all: made when the first record differs. */
function grown(column, count, size) {
    const larger = new Int32Array(size);
    if (column === null) larger.fill(-1, 0, count);
    else larger.set(column);
    return larger;
}

class Pack {
    constructor(topic) {
        this.topic = topic;
        this.topicBytes = Buffer.from(`${topic}\0`);
        this.struct = Buffer.alloc(abi.sizes.packed);
        this.next = new Int32Array(1); // the first record that was not accepted
        this.data = Buffer.allocUnsafeSlow(FIRST_BYTES);
        this.room = FIRST_COUNT;
        this.valueSizes = new Int32Array(FIRST_COUNT);
        this.clear();
    }

    /* Empty again. */
    clear() {
        this.count = 0;
        this.size = 0;
        this.keySizes = null;
        this.headerSizes = null;
        this.times = null;
        this.partitions = null; // -1: the one that its key or the library chooses
        this.next[0] = 0;
    }

    /* The partition that a record was given, or -1. */
    partitionOf(i) { return this.partitions === null ? -1 : this.partitions[i]; }

    #makeRoom(bytes) {
        if (this.size + bytes > this.data.length) {
            const larger = Buffer.allocUnsafeSlow(Math.max(this.data.length * 2, this.size + bytes));
            this.data.copy(larger, 0, 0, this.size);
            this.data = larger;
        }
        if (this.count < this.room) return;
        this.room *= 2;
        this.valueSizes = grown(this.valueSizes, this.count, this.room);
        if (this.keySizes !== null) this.keySizes = grown(this.keySizes, this.count, this.room);
        if (this.headerSizes !== null) this.headerSizes = grown(this.headerSizes, this.count, this.room);
        if (this.partitions !== null) this.partitions = grown(this.partitions, this.count, this.room);
        if (this.times !== null) {
            const larger = new BigInt64Array(this.room);
            larger.set(this.times);
            this.times = larger;
        }
    }

    /* Appends bytes or a text; returns how many bytes that were, -1 for null. */
    #put(part, name) {
        if (typeof part === 'string') {
            /* A text of n units has at most 3n bytes. */
            if (this.size + part.length * 3 > this.data.length) this.#makeRoom(part.length * 3);
            const size = this.data.utf8Write(part, this.size);
            this.size += size;
            return size;
        }
        if (part === null) return -1;
        if (!(part instanceof Uint8Array)) {
            throw new TypeError(`${name} has to be bytes, a text or null, not ${typeof part}`);
        }
        const size = part.length;
        if (this.size + size > this.data.length) this.#makeRoom(size);
        this.data.set(part, this.size);
        this.size += size;
        return size;
    }

    /* Adds a record; on a mistake nothing is added. value undefined: empty; null: a tombstone. */
    add(value, key, headers, timestamp, partition) {
        const before = this.size;
        const i = this.count;
        try {
            if (i === this.room) this.#makeRoom(0);
            if (headers !== undefined && headers !== null) this.#addHeaders(i, headers);
            else if (this.headerSizes !== null) this.headerSizes[i] = -1;
            if (key !== undefined && key !== null) {
                this.keySizes ??= grown(null, i, this.room);
                this.keySizes[i] = this.#put(key, 'a key');
            } else if (this.keySizes !== null) {
                this.keySizes[i] = -1;
            }
            this.valueSizes[i] = value === undefined ? 0 : this.#put(value, 'a value');
            if (timestamp !== undefined || this.times !== null) this.#addTime(i, timestamp);
            if (partition !== undefined || this.partitions !== null) this.#addPartition(i, partition ?? -1);
        } catch (error) {
            this.size = before;
            throw error;
        }
        this.count++;
    }

    #addHeaders(i, headers) {
        const bytes = encodeHeaders(headers);
        this.headerSizes ??= grown(null, i, this.room);
        this.headerSizes[i] = this.#put(bytes, 'headers');
    }

    #addTime(i, timestamp) {
        const time = Number(timestamp ?? Date.now());
        if (!Number.isSafeInteger(time) || time < 0) {
            throw new TypeError(`a timestamp has to be a Date or milliseconds since 1970, not ${timestamp}`);
        }
        if (this.times === null) {
            this.times = new BigInt64Array(this.room);
            this.times.fill(BigInt(Date.now()), 0, i);
        }
        this.times[i] = BigInt(time);
    }

    #addPartition(i, partition) {
        if (!Number.isInteger(partition) || partition < -1 || partition > MOST_PARTITION) {
            throw new TypeError(`${partition} is no partition`);
        }
        this.partitions ??= grown(null, i, this.room);
        this.partitions[i] = partition;
    }

    get isFull() { return this.count >= PACK_RECORDS; }

    /* Hands over what was not accepted yet, without waiting; returns the library's code, which is
     * about record next[0]. The n-th record has the tag number * PACK_RECORDS + n. */
    cross(producer, number) {
        const s = this.struct;
        const address = (place, bytes) => s.writeBigUInt64LE(bytes === null ? 0n : abi.addressOf(bytes), place);
        address(at.topic, this.topicBytes);
        address(at.data, this.data);
        s.writeBigUInt64LE(BigInt(this.size), at.data_size);
        address(at.header_sizes, this.headerSizes);
        address(at.key_sizes, this.keySizes);
        address(at.value_sizes, this.valueSizes);
        address(at.timestamps_ms, this.times);
        s.writeInt32LE(this.count, at.count);
        s.writeBigUInt64LE(BigInt(number) << BigInt(PLACE_BITS), at.first_tag);
        address(at.partitions, this.partitions);
        return abi.producer_send_packed(producer, s, s.length, this.next, 0);
    }
}

module.exports = { Pack, PACK_RECORDS, PLACE_BITS };
