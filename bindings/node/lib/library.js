'use strict';
/* Where the shared library is: the file that SLUICE_LIBRARY names, or the one that came with this
 * package for this platform, or the one that the system's loader finds. */
const fs = require('node:fs');
const path = require('node:path');

const names = { linux: 'libsluice.so.0', darwin: 'libsluice.0.dylib' };

function findLibrary() {
    if (process.env.SLUICE_LIBRARY) return path.resolve(process.env.SLUICE_LIBRARY);
    const name = names[process.platform];
    if (name === undefined) throw new Error(`sluice: there is no library for ${process.platform}`);
    const carried = path.join(__dirname, '..', 'prebuilt', `${process.platform}-${process.arch}`, name);
    return fs.existsSync(carried) ? carried : name;
}

module.exports = { findLibrary };
