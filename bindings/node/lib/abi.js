'use strict';
/* The library's functions, structs and numbers, without sluice_ before their names, as abi.json
 * describes them (bindings/abi.py writes it from the headers).
 *
 * Hot calls take typed arrays and buffers for pointers, which cost nothing to hand over; structs
 * of theirs are read and written in place. All other structs are filled into plain objects. Types
 * are anonymous, so two copies of this package live in one process.
 *
 * Nothing here is a callback: no thread of the library ever enters JavaScript. */
const koffi = require('koffi');
const description = require('./abi.json');
const { findLibrary } = require('./library.js');

const shorten = (name) => name.replace(/^sluice_/i, '');

const file = findLibrary();
let library;
try {
    library = koffi.load(file);
} catch (error) {
    throw new Error(`sluice: the library ${file} cannot be loaded; SLUICE_LIBRARY names another one`,
        { cause: error });
}

/* What a layout or a function is made of. Texts come out as JavaScript's own. */
const plain = {
    i32: 'int32_t', u32: 'uint32_t', i64: 'int64_t', u64: 'uint64_t', size: 'size_t', f64: 'double',
    text: 'str', pointer: 'void *', void: 'void',
};

const layouts = {};
const sizes = {};
const places = {};
for (const [name, { size, fields }] of Object.entries(description.structs)) {
    const own = shorten(name);
    const members = {};
    places[own] = {};
    for (const field of fields) {
        members[field.name] = field.abi === 'chars' ? koffi.array('char', field.size, 'String') : plain[field.abi];
        places[own][field.name] = field.offset;
    }
    layouts[name] = koffi.struct(members);
    sizes[own] = size;
    if (koffi.sizeof(layouts[name]) !== size) throw new Error(`sluice: ${name} has another layout on this platform`);
}

/* Structs that are filled and read in place: a buffer stands for them. */
const inPlace = new Set(['sluice_packed', 'sluice_delivery', 'sluice_event', 'sluice_row']);
/* Numbers that are kept in a typed array, because they go in as well. */
const kept = new Set(['next']);

/* How an argument is handed over, by its type in C. */
function parameterOf({ name, type, abi }) {
    const [, isConst, base, stars] = /^(const )?(\w+) ?(.*)$/.exec(type);
    if (stars === '**') return koffi.out(koffi.pointer('void *'));
    if (stars === '*const *') return 'str *';
    if (stars !== '*' || base === 'void' || inPlace.has(base) || kept.has(name)) return plain[abi];
    if (layouts[base] !== undefined) return isConst ? koffi.pointer(layouts[base]) : koffi.out(koffi.pointer(layouts[base]));
    return base.endsWith('_t') && !isConst ? koffi.out(koffi.pointer(base)) : plain[abi];
}

/* In C a text to be filled is a char *, and so is one to be read. */
const isBuffer = ({ type }) => type === 'char *';

const functions = {};
for (const [name, { abi, arguments: given }] of Object.entries(description.functions)) {
    functions[shorten(name)] = library.func(name, plain[abi],
        given.map((argument) => (isBuffer(argument) ? 'void *' : parameterOf(argument))));
}

/* Copies memory of the library into a buffer. An external ArrayBuffer over it would cost more, and
 * would outlive it. */
const copyMemory = koffi.load(null).func('memcpy', 'void *', ['void *', 'void *', 'size_t']);

const constants = {};
for (const [name, value] of Object.entries(description.constants)) constants[shorten(name)] = value;

module.exports = {
    ...functions, ...constants, sizes, places, copyMemory, file,
    addressOf: koffi.address,
    textAt: (pointer) => (pointer === null ? null : koffi.decode.string(pointer)),
    poll: koffi.node.poll,
};
