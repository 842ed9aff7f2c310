'use strict';
/* The consumer: batches, and records one by one, as async iterators; or handlers, with run (run.js).
 *
 * Nothing is read ahead into JavaScript: a batch is taken when it is asked for, and what is not
 * asked for stays in the library, whose budget stops its fetching. The library's own thread keeps
 * the group's heartbeats, however long a handler takes. Loops over records that are there give the
 * event loop a turn with each batch, and every RECORDS_A_TURN records. */
const { setImmediate: turn } = require('node:timers/promises');
const abi = require('./abi.js');
const channels = require('./channels.js');
const { Batch } = require('./batch.js');
const { Client, abortable, droppedHandles } = require('./client.js');
const { withOffsets, readOffsets } = require('./offsets.js');
const { Run } = require('./run.js');
const { split, takeOptions } = require('./settings.js');
const { Walk } = require('./walk.js');

const RECORDS_A_TURN = 1000;
const kinds = {
    [abi.REBALANCE_ASSIGNED]: 'assigned', [abi.REBALANCE_REVOKING]: 'revoking', [abi.REBALANCE_LOST]: 'lost',
};

class Consumer extends Client {
    #waiters = [];
    #isPolling = false;
    #inHand = null; // the batch whose records are being handed out
    #run = null;
    #onRebalance;
    #topics;

    /* Own options: topics (subscribed to with the first use), onRebalance(kind, partitions), logger. */
    constructor(brokers, options) {
        const { fromBeginning, ...rest } = takeOptions(brokers, options);
        const { mine, settings } = split(rest, ['logger', 'topics', 'onRebalance'],
            fromBeginning ? { 'auto.offset.reset': 'earliest' } : {});
        if (mine.onRebalance) settings.set('rebalance.notices', 'true');
        super(abi.CONSUMER, settings, mine);
        this.#onRebalance = mine.onRebalance;
        this.#topics = mine.topics === undefined ? null : [].concat(mine.topics);
    }

    _onOpen() {
        if (this.#topics === null) return;
        const topics = this.#topics.map((topic) => (topic instanceof RegExp ? `^${topic.source.replace(/^\^/, '')}` : topic));
        this._must(abi.consumer_subscribe(this._handle, topics, topics.length));
    }

    /* ---- what is read ---- */

    /* subscribe('a'), subscribe(['a', /^b/]), subscribe({topics, fromBeginning}): with the group, in
     * place of what was subscribed before. With no topics the group is left. */
    subscribe(topics) {
        const isOptions = typeof topics === 'object' && !Array.isArray(topics) && !(topics instanceof RegExp);
        const names = isOptions ? topics.topics ?? topics.topic : topics;
        if (isOptions && topics.fromBeginning !== undefined) this.#begin(topics.fromBeginning ? 'earliest' : 'latest');
        this.#topics = [].concat(names);
        if (this._isOpen) this._onOpen();
        else void this._handle;
    }

    #begin(place) {
        const settings = this.settings;
        if (this._isOpen && settings.get('auto.offset.reset') !== place) {
            throw new TypeError('fromBeginning has to be told before a consumer is used: to its constructor, for one');
        }
        settings.set('auto.offset.reset', place);
    }

    /* assign([{topic, partition, offset}]): by hand. */
    assign(partitions) {
        withOffsets(partitions ?? [], (list) => this._must(abi.consumer_assign(this._handle, list)));
    }

    /* Every assigned partition: [{topic, partition, offset, committed, end, lag, paused}]; offset is the
     * next to be handed out, -1 stands for unknown. */
    positions() {
        const out = [null];
        this._must(abi.consumer_positions(this._handle, out));
        try {
            return readOffsets(out[0]).map((entry) => ({
                ...entry, lag: entry.end < 0n || entry.offset < 0n ? null : Number(entry.end - entry.offset),
            }));
        } finally {
            abi.offsets_free(out[0]);
        }
    }

    assignment() { return this.positions().map(({ topic, partition }) => ({ topic, partition })); }

    /* seek({topic, partition, offset}), or several: at once. What the record iterator and the handlers
     * hold of these partitions is dropped. */
    seek(partitions) {
        withOffsets(partitions, (list) => this._must(abi.consumer_seek(this._handle, list)));
        this.#inHand?.drop(partitions);
    }

    /* Of these partitions, or all, nothing is handed out until resume. */
    pause(partitions) {
        withOffsets(partitions, (list) => this._must(abi.consumer_pause(this._handle, list)));
        this.#inHand?.drop(partitions);
    }

    resume(partitions) {
        withOffsets(partitions, (list) => this._must(abi.consumer_resume(this._handle, list)));
    }

    /* Commits what is finished, or these offsets: of each partition the next to read. Resolves to
     * what was committed. */
    commit(offsets, { timeout = abi.TIMEOUT_DEFAULT, signal } = {}) {
        this.#inHand?.mark();
        return withOffsets(offsets, (list) => this._operate(
            (handle, out) => abi.consumer_commit(handle, list, timeout, out), { signal, read: readOpOffsets }));
    }

    /* What the group has committed of these partitions; code is not 0 where there is nothing. */
    committed(partitions, { timeout = abi.TIMEOUT_DEFAULT, signal } = {}) {
        const entries = partitions.map(({ topic, partition }) => ({ topic, partition, offset: 'committed' }));
        return this.offsets(entries, { timeout, signal });
    }

    /* Turns 'earliest', 'latest', 'committed' and Dates into offsets. */
    offsets(partitions, { timeout = abi.TIMEOUT_DEFAULT, signal } = {}) {
        return resolveOffsets(this, partitions, timeout, signal);
    }

    /* ---- batches ---- */

    /* The next batch, or null when there was none within timeout milliseconds. */
    async poll({ timeout = -1, signal } = {}) {
        if (this.#isPolling) throw this._failure(abi.ERR_BUSY);
        this.#isPolling = true;
        const deadline = timeout < 0 ? Infinity : Date.now() + timeout;
        try {
            for (;;) {
                const batch = await this.#take();
                if (batch !== null) return batch;
                const left = deadline - Date.now();
                if (left <= 0) return null;
                await this.#sleep(left, signal);
            }
        } finally {
            this.#isPolling = false;
        }
    }

    /* What is there, without waiting; a rebalance that is told of is dealt with first. */
    async #take() {
        const out = [null];
        for (;;) {
            const code = abi.consumer_poll(this._handle, 0, out);
            if (code === 0) return out[0] === null ? null : this.#wrap(out[0]);
            if (code === abi.ERR_HELD) return null;
            if (code !== abi.NOTICE_REBALANCE) throw this._failure(code);
            await this.#rebalance();
        }
    }

    #wrap(handle) {
        const batch = new Batch(handle, this);
        if (channels.batch.hasSubscribers) channels.batch.publish({ client: this, batch });
        return batch;
    }

    #sleep(time, signal) {
        this.hold();
        return abortable(signal, (resolve) => {
            const timer = time === Infinity ? undefined : setTimeout(resolve, time);
            const waiter = () => {
                clearTimeout(timer);
                resolve();
            };
            this.#waiters.push(waiter);
            return () => {
                clearTimeout(timer);
                this.#waiters = this.#waiters.filter((other) => other !== waiter);
            };
        }).finally(() => this.release());
    }

    _onWake() { this.#wakeWaiters(); }
    _onGivenBack() { this.#wakeWaiters(); }

    #wakeWaiters() {
        if (this.#waiters.length === 0) return;
        for (const waiter of this.#waiters.splice(0)) waiter();
    }

    async #rebalance() {
        const out = [null];
        const code = abi.consumer_rebalance(this._handle, out);
        if (code === abi.ERR_STALE) return;
        this._must(code);
        const rebalance = out[0];
        const token = {};
        droppedHandles.register(token, { give: (handle) => abi.rebalance_done(handle, null), handle: rebalance }, token);
        const info = {};
        abi.rebalance_read(rebalance, info, abi.sizes.rebalance_info);
        const kind = kinds[info.kind];
        const partitions = readOffsets(abi.rebalance_offsets(rebalance)).map(({ topic, partition }) => ({ topic, partition }));
        if (channels.rebalance.hasSubscribers) channels.rebalance.publish({ client: this, kind, partitions });
        let start;
        try {
            this.#inHand?.mark();
            start = await this.#onRebalance?.(kind, partitions);
        } finally {
            if (kind !== 'assigned') this.#inHand?.drop(partitions);
            droppedHandles.unregister(token);
            withOffsets(Array.isArray(start) ? start : null, (list) => abi.rebalance_done(rebalance, list));
        }
    }

    /* Batches, as brokers sent them. A batch that was not given back by the time the next one is
     * asked for was processed; one that the loop was left with comes again, except for what was
     * marked. */
    async* batches({ signal } = {}) {
        for (;;) {
            const batch = await this.#next(signal);
            if (batch === null) return;
            try {
                yield batch;
                batch.finish();
            } finally {
                batch.retry();
            }
        }
    }

    /* The next batch, or null when the client was closed. */
    async #next(signal) {
        await turn();
        try {
            return await this.poll({ signal });
        } catch (error) {
            if (error.errno === abi.ERR_CLOSED && this._isClosing) return null;
            throw error;
        }
    }

    /* Records one by one. A record counts as processed when the next one is asked for. Leaving the
     * loop leaves the last one unprocessed, as nobody can tell a break from an error: record.mark()
     * says that it was. */
    records({ signal } = {}) {
        return new Records(signal, (s) => this.#next(s), (inHand) => { this.#inHand = inHand; });
    }

    [Symbol.asyncIterator]() { return this.records(); }

    /* ---- handlers ---- */

    /* run({eachMessage}) or run({eachBatch}), as KafkaJS has them; resolves when it has begun. What
     * ends it is told by `running`. */
    async run(handlers) {
        if (this.#run !== null) throw new Error('the consumer runs already');
        void this._handle;
        this.#run = new Run(this, handlers, (inHand) => { this.#inHand = inHand; });
        this.running = this.#run.start((signal) => this.#next(signal)).finally(() => { this.#run = null; });
    }

    /* Ends what run began, after the handlers at work. */
    async stop() {
        this.#run?.stop();
        await this.running;
    }

    async _beforeClose() {
        this.#run?.stop();
        this.#inHand?.end();
        this.#wakeWaiters();
        if (this.#run !== null) await this.running.catch(() => {});
    }

    _afterClose() { this.#wakeWaiters(); }

    /* A consumer connects when it knows what to read. */
    async connect(options) { if (this.#topics !== null) await this.ready(options); }
    disconnect(options) { return this.close(options); }
}

/* The iterator of records(). */
class Records {
    #signal;
    #next;
    #setInHand;
    #walk = null;
    #count = 0;
    constructor(signal, next, setInHand) {
        this.#signal = signal;
        this.#next = next;
        this.#setInHand = setInHand;
    }

    [Symbol.asyncIterator]() { return this; }

    next() {
        const record = this.#walk === null ? null : this.#walk.next();
        if (record === null) return this.#nextBatch();
        const result = { value: record, done: false };
        return ++this.#count % RECORDS_A_TURN === 0 ? turn(result) : Promise.resolve(result);
    }

    async #nextBatch() {
        for (;;) {
            this.#end();
            const batch = await this.#next(this.#signal);
            if (batch === null) return { value: undefined, done: true };
            this.#walk = new Walk(batch);
            this.#setInHand(this.#walk);
            const record = this.#walk.next();
            if (record !== null) return { value: record, done: false };
        }
    }

    #end() {
        if (this.#walk === null) return;
        this.#walk.end();
        this.#walk = null;
        this.#setInHand(null);
    }

    async return(value) {
        this.#end();
        return { value, done: true };
    }
}

const readOpOffsets = (op) => {
    const list = abi.op_offsets(op);
    return list === null ? [] : readOffsets(list);
};

/* Also of admin clients. */
function resolveOffsets(client, partitions, timeout, signal) {
    return withOffsets(partitions, (list) => client._operate(
        (handle, out) => abi.offsets_resolve(handle, list, timeout, out), { signal, read: readOpOffsets }));
}

module.exports = { Consumer, resolveOffsets };
