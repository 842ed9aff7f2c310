'use strict';
/* Lists of (topic, partition, offset), to the library and from it. */
const abi = require('./abi.js');
const { must } = require('./errors.js');

const symbols = {
    latest: abi.OFFSET_LATEST, end: abi.OFFSET_LATEST, earliest: abi.OFFSET_EARLIEST,
    beginning: abi.OFFSET_EARLIEST, committed: abi.OFFSET_COMMITTED,
};

/* offset: a number, a decimal text, 'earliest', 'latest', 'committed', or a Date: the first record
 * at or after it. */
function entryOf({ topic, partition, offset = 'committed', metadata = null, leaderEpoch = 0 }) {
    const entry = {
        topic, metadata, offset: 0, timestamp_ms: 0, committed: 0, end: 0, partition,
        leader_epoch: leaderEpoch, code: 0, paused: 0,
    };
    if (offset instanceof Date) {
        entry.offset = abi.OFFSET_AT_TIME;
        entry.timestamp_ms = offset.getTime();
    } else {
        entry.offset = symbols[offset] ?? BigInt(offset);
    }
    return entry;
}

/* Calls use(list) with the library's list of these entries; null stands for all. */
function withOffsets(entries, use) {
    if (entries === null || entries === undefined) return use(null);
    const list = abi.offsets_create();
    try {
        for (const entry of Array.isArray(entries) ? entries : [entries]) {
            must(abi.offsets_put(list, entryOf(entry), abi.sizes.offset));
        }
        return use(list);
    } finally {
        abi.offsets_free(list);
    }
}

/* The entries of a list. */
function readOffsets(list) {
    const entries = [];
    for (let i = 0, out = {}; abi.offsets_at(list, i, out, abi.sizes.offset) === 1; i++, out = {}) {
        entries.push({
            topic: out.topic, partition: out.partition, offset: BigInt(out.offset),
            committed: BigInt(out.committed), end: BigInt(out.end), leaderEpoch: out.leader_epoch,
            metadata: out.metadata, paused: out.paused === 1, code: out.code,
        });
    }
    return entries;
}

module.exports = { withOffsets, readOffsets };
