'use strict';
/* Errors: one class for what the library says, one for records that were not written. */
const abi = require('./abi.js');

const classes = {
    [abi.CLASS_NOTICE]: 'notice', [abi.CLASS_RETRY]: 'retry', [abi.CLASS_ABORT]: 'abort',
    [abi.CLASS_DENIED]: 'denied', [abi.CLASS_FATAL]: 'fatal', [abi.CLASS_USAGE]: 'usage',
    [abi.CLASS_GONE]: 'gone',
};

/* What to do about a code, in a sentence. */
const hints = {
    notice: 'Nothing is wrong.',
    retry: 'The same call may succeed later.',
    abort: 'Abort the transaction, then go on.',
    denied: 'The user may not do this: look at permissions and credentials.',
    fatal: 'This client cannot go on: close it and open another one.',
    usage: 'The program or its settings are wrong.',
    gone: 'The thing is closed, fenced or deleted.',
};

class SluiceError extends Error {
    constructor(message, errno) {
        super(message);
        this.errno = errno;
        this.code = abi.error_name(errno);
        this.class = classes[abi.error_class(errno)];
    }
    get name() { return this.constructor.name; }
    get retriable() { return this.class === 'retry'; }
    get fatal() { return this.class === 'fatal'; }
    get hint() { return hints[this.class]; }
}

/* outcome: 'not written', or 'maybe written': nobody can know, so it must not just be sent again.
 * Of a sendMany, failures has an entry for each record that did not make it. */
class DeliveryError extends SluiceError {
    constructor(message, errno, outcome, topic, partition) {
        super(message, errno);
        this.outcome = outcome;
        this.topic = topic;
        this.partition = partition;
    }
}

const explanation = Buffer.alloc(2048);

/* The library's story of a code; handle null: the code's general text. */
function explain(handle, errno) {
    const length = Number(abi.client_explain(handle, errno, explanation, explanation.length));
    return explanation.toString('utf8', 0, Math.min(length, explanation.length - 1));
}

/* The error for a code that a call with this handle returned. */
const failure = (handle, errno) => new SluiceError(explain(handle, errno), errno);

/* Throws unless the call went well. */
function must(errno, handle = null) {
    if (errno !== 0) throw failure(handle, errno);
}

module.exports = { SluiceError, DeliveryError, explain, failure, must };
