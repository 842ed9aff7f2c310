'use strict';
/* Headers of records in the format's own bytes: varint length and name, varint length and value,
 * each; -1 is the length of a null value. Varints are zigzag, as in protocol buffers. */

/* [name, value] pairs of what an application gives: an object, whose values may be arrays for a
 * name that is there several times, or an iterable of pairs, which keeps any order. */
function* pairsOf(headers) {
    if (typeof headers[Symbol.iterator] === 'function') {
        yield* headers;
        return;
    }
    for (const [name, value] of Object.entries(headers)) {
        if (Array.isArray(value)) for (const one of value) yield [name, one];
        else yield [name, value];
    }
}

function pushVarint(parts, number) {
    let rest = number < 0 ? 1 : number * 2;
    for (; rest > 127; rest >>>= 7) parts.push((rest & 127) | 128);
    parts.push(rest);
}

/* The headers as bytes. */
function encodeHeaders(headers) {
    const bytes = [];
    for (const [name, value] of pairsOf(headers)) {
        const nameBytes = Buffer.from(String(name));
        if (nameBytes.length === 0) throw new TypeError('a header has to have a name');
        pushVarint(bytes, nameBytes.length);
        bytes.push(...nameBytes);
        if (value === null || value === undefined) {
            pushVarint(bytes, -1);
            continue;
        }
        const valueBytes = typeof value === 'string' ? Buffer.from(value) : value;
        if (!(valueBytes instanceof Uint8Array)) {
            throw new TypeError(`header ${name} has to be a text, bytes or null`);
        }
        pushVarint(bytes, valueBytes.length);
        for (const byte of valueBytes) bytes.push(byte);
    }
    return Buffer.from(bytes);
}

/* [name, Buffer or null] pairs from bytes that the library has checked. */
function decodeHeaders(bytes) {
    const pairs = [];
    let place = 0;
    const readVarint = () => {
        let number = 0;
        let scale = 1;
        for (; bytes[place] > 127; scale *= 128) number += (bytes[place++] & 127) * scale;
        number += bytes[place++] * scale;
        return number % 2 === 0 ? number / 2 : -(number + 1) / 2;
    };
    const readPart = (size) => bytes.subarray(place, place += size);
    while (place < bytes.length) {
        const name = readPart(readVarint()).toString();
        const size = readVarint();
        pairs.push([name, size < 0 ? null : readPart(size)]);
    }
    return pairs;
}

module.exports = { encodeHeaders, decodeHeaders };
