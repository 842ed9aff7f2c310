'use strict';
/* What producers, consumers and admin clients share: the handle, the descriptor by which the event
 * loop learns that there is something to take, operations, events, and the end.
 *
 * The library's threads never call into JavaScript. Its descriptor turns readable; the bytes are
 * read, and everything is taken that somebody here waits for. What nobody waits for stays in the
 * library, where the memory budgets count it, and wakes nobody again: each post of the library
 * writes a byte anew.
 *
 * The watch is unreferenced, so an idle client does not keep the process alive; whatever is under
 * way holds it (hold, release). Clients that are dropped without close are freed by the garbage
 * collector, and at the end of their thread. */
const fs = require('node:fs');
const abi = require('./abi.js');
const channels = require('./channels.js');
const { failure, must } = require('./errors.js');
const { makeConfig } = require('./settings.js');

const asyncDispose = Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose');
const swallowed = Buffer.alloc(4096);
const event = Buffer.alloc(abi.sizes.event);
const at = abi.places.event;

/* Clients of this thread whose handles are open: what the collector and the end of the thread need
 * of them, which must not refer to the client itself. */
const open = new Set();
function free(core) {
    if (core.watch !== null) core.watch.close();
    if (core.handle !== null) abi.client_free(core.handle);
    core.watch = core.handle = null;
    open.delete(core);
}
const dropped = new FinalizationRegistry(free);
process.on('exit', () => open.forEach(free));

/* Batches and the like that are dropped go back to the library too. */
const droppedHandles = new FinalizationRegistry(({ give, handle }) => give(handle));

const WARNING = 4;
const levels = { 3: 'error', 4: 'warn', 5: 'info', 6: 'info', 7: 'debug' };
function logToConsole(level, line) {
    console[levels[level] ?? 'error'](`sluice: ${line}`);
}

/* A promise that an AbortSignal ends, with what it waits for left alone. start(resolve, reject)
 * returns what undoes the wait. */
function abortable(signal, start) {
    if (signal === undefined) return new Promise((resolve, reject) => { start(resolve, reject); });
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
        const end = (settle) => (value) => {
            signal.removeEventListener('abort', onAbort);
            settle(value);
        };
        const undo = start(end(resolve), end(reject));
        function onAbort() {
            undo();
            reject(signal.reason);
        }
        signal.addEventListener('abort', onAbort, { once: true });
    });
}

class Client {
    #core = null; // {handle, watch}; null until the first use and after close
    #config;
    #role;
    #logger;
    #holds = 0;
    #operations = new Map(); // op id -> {op, read, resolve, reject}
    #closing = null;

    constructor(role, settings, own) {
        this.#role = role;
        this.#logger = own.logger === undefined ? logToConsole : own.logger;
        /* Mistakes are told by the constructor; the client itself opens with its first use. */
        abi.config_free(makeConfig(settings, role));
        this.settings = settings;
    }

    get closed() { return this.#closing !== null && this.#core === null; }

    /* ---- for the classes built on this one ---- */

    get _handle() {
        if (this.#core === null) this.#open();
        return this.#core.handle;
    }

    get _isClosing() { return this.#closing !== null; }
    get _isOpen() { return this.#core !== null; }

    #open() {
        if (this.#closing !== null) throw failure(null, abi.ERR_CLOSED);
        const config = makeConfig(this.settings, this.#role);
        const out = [null];
        const code = abi.client_open(config, this.#role, null, out);
        abi.config_free(config);
        must(code);
        const core = { handle: out[0], watch: null };
        this.#core = core;
        open.add(core);
        dropped.register(this, core, core);
        this.#watch(core);
        this._onOpen();
    }

    /* The watch must not keep the client from being collected. While something is under way its
     * promise's functions lead here from what the loop holds. */
    #watch(core) {
        const fd = abi.client_fd(core.handle);
        if (fd < 0) throw failure(core.handle, fd);
        const self = new WeakRef(this);
        core.watch = abi.poll(fd, { readable: true }, () => {
            try {
                fs.readSync(fd, swallowed);
            } catch (error) {
                if (error.code !== 'EAGAIN') throw error;
            }
            self.deref()?._service();
        });
        core.watch.unref();
    }

    /* While anything is held the process stays alive, and this client with it. */
    hold() {
        if (this.#holds++ > 0) return;
        held.add(this);
        this.#core.watch.ref();
    }

    release() {
        if (--this.#holds > 0) return;
        held.delete(this);
        this.#core?.watch.unref();
    }

    _onOpen() {}
    _onWake() {}
    _onRoom() {}

    _failure(code) { return failure(this.#core === null ? null : this.#core.handle, code); }

    _must(code) {
        if (code !== 0) throw this._failure(code);
    }

    /* Takes what there is. */
    _service() {
        if (this.#core === null) return;
        this.#takeEvents();
        if (this.#core !== null) this._onWake();
    }

    /* Runs an operation: start(handle, out) begins it, read(op) says what it resulted in. */
    _operate(start, { signal, read = () => undefined } = {}) {
        if (signal?.aborted) return Promise.reject(signal.reason);
        const out = [null];
        const code = start(this._handle, out);
        if (code !== 0) return Promise.reject(this._failure(code));
        const id = abi.op_id(out[0]);
        this.hold();
        return abortable(signal, (resolve, reject) => {
            this.#operations.set(id, { op: out[0], read, resolve, reject });
            return () => {
                this.#operations.delete(id);
                abi.op_free(out[0]);
                this.release();
            };
        });
    }

    #endOperation(id) {
        const operation = this.#operations.get(id);
        if (operation === undefined) return;
        const code = abi.op_wait(operation.op, 0);
        if (code === abi.ERR_PENDING) return;
        this.#operations.delete(id);
        try {
            if (code === 0 || code === abi.ERR_PARTIAL) operation.resolve(operation.read(operation.op));
            else operation.reject(this.#operationFailure(operation.op, code));
        } catch (error) {
            operation.reject(error);
        } finally {
            abi.op_free(operation.op);
            this.release();
        }
    }

    #operationFailure(op, code) {
        const error = this._failure(code);
        const message = abi.op_message(op);
        if (message !== null && message !== '') error.message = message;
        return error;
    }

    #takeEvents() {
        while (this.#core !== null) {
            const code = abi.client_event(this.#core.handle, 0, event, event.length);
            const kind = code === 0 ? event.readInt32LE(at.kind) : 0;
            if (kind === 0) return;
            if (kind === abi.EVENT_OP) this.#endOperation(Number(event.readBigUInt64LE(at.op)));
            else if (kind === abi.EVENT_ROOM) this._onRoom();
            else if (kind !== abi.EVENT_CLOSED) this.#tell(kind);
        }
    }

    /* What an operator wants to know arrives as an event instead of a log line. */
    #tell(kind) {
        const text = event.toString('utf8', at.text, event.indexOf(0, at.text));
        const code = event.readInt32LE(at.code);
        if (kind === abi.EVENT_LOG) {
            this.#log(code, text);
            return;
        }
        if (code !== 0) this.#log(WARNING, text);
        if (!channels.event.hasSubscribers) return;
        channels.event.publish({
            client: this, kind: kind === abi.EVENT_BROKER ? 'broker' : 'error', code, text,
            broker: event.readInt32LE(at.broker), partition: event.readInt32LE(at.partition),
        });
    }

    #log(level, line) {
        if (channels.log.hasSubscribers) channels.log.publish({ client: this, level, line });
        this.#logger?.(level, line);
    }

    /* ---- for everybody ---- */

    /* Resolves when a broker has answered. */
    async ready({ timeout = abi.TIMEOUT_DEFAULT, signal } = {}) {
        await this._operate((handle, out) => abi.client_ready(handle, timeout, out), { signal });
    }

    /* How many partitions a topic has. */
    async partitions(topic, { timeout = 60000, signal } = {}) {
        const deadline = Date.now() + timeout;
        const out = [0];
        for (let pause = 1; ; pause = Math.min(pause * 2, 64)) {
            signal?.throwIfAborted();
            /* Who waits, if only for a millisecond, is told why there is no answer. */
            const code = abi.client_partitions(this._handle, topic, Date.now() < deadline ? 0 : 1, out);
            if (code === 0) return out[0];
            if (code !== abi.ERR_PENDING) throw this._failure(code);
            await new Promise((resolve) => { setTimeout(resolve, pause); });
        }
    }

    /* All metrics: an array of objects, or with format 'prometheus' the exposition text. */
    async metrics({ format = 'objects', timeout = 10000, signal } = {}) {
        const form = format === 'prometheus' ? abi.TEXT_PROMETHEUS : abi.TEXT_JSON;
        const text = await this._operate((handle, out) => abi.metrics_snapshot(handle, timeout, out), {
            signal,
            read: (op) => readText((buffer) => abi.table_text(abi.op_table(op, null), form, buffer, buffer.length)),
        });
        return format === 'objects' ? JSON.parse(text) : text;
    }

    /* The readable state of the client, for a person who looks for what is wrong. */
    dump() {
        return readText((buffer) => abi.client_dump(this._handle, buffer, buffer.length, 1000));
    }

    /* Ends the client: what was sent gets its outcome, what was finished is committed, the group is
     * left. Again: the same promise. */
    close({ timeout = 30000 } = {}) {
        this.#closing ??= this.#close(timeout);
        return this.#closing;
    }

    async #close(timeout) {
        if (this.#core === null) return;
        const deadline = Date.now() + timeout;
        this.hold();
        try {
            await this._beforeClose(timeout);
            const left = Math.max(deadline - Date.now(), 0);
            await this._operate((handle, out) => abi.client_close(handle, left, out));
        } catch (error) {
            /* Of these each send's own promise tells. */
            if (error.errno !== abi.ERR_NOT_WRITTEN && error.errno !== abi.ERR_MAYBE_WRITTEN) throw error;
        } finally {
            this._afterClose();
            for (const { op, reject } of this.#operations.values()) {
                abi.op_free(op);
                reject(failure(null, abi.ERR_CLOSED));
            }
            this.#operations.clear();
            dropped.unregister(this.#core);
            free(this.#core);
            this.#core = null;
            this.#holds = 0;
            held.delete(this);
        }
    }

    async _beforeClose() {}
    _afterClose() {}

    [asyncDispose]() { return this.close(); }
}

/* Clients with something under way: nothing else may refer to them. */
const held = new Set();

/* Calls fill(buffer), which returns how long the whole text is, with a buffer that holds it. */
function readText(fill) {
    let buffer = Buffer.alloc(65536);
    for (;;) {
        const length = Number(fill(buffer));
        if (length < 0) throw failure(null, length);
        if (length < buffer.length) return buffer.toString('utf8', 0, length);
        buffer = Buffer.alloc(length + 1024);
    }
}

module.exports = { Client, abortable, asyncDispose, droppedHandles };
