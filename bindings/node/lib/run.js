'use strict';
/* run({eachMessage}) and run({eachBatch}): handlers, in the shape that KafkaJS gives them.
 *
 * Partitions of a batch are worked on one after another, or partitionsConsumedConcurrently at a time;
 * records of one partition always in order. A handler that throws is tried again from the record it
 * failed at, after a pause that doubles, retry.retries times in a row; then `running` rejects. */
const { setTimeout: sleep } = require('node:timers/promises');
const { InHand } = require('./walk.js');

class Run {
    #consumer;
    #handlers;
    #setInHand;
    #stopping = new AbortController();
    #error = null; // the first of a handler, in the batch that is worked on

    /* setInHand(inHand) tells the consumer what seek, pause and rebalances are about. */
    constructor(consumer, handlers, setInHand) {
        const { eachMessage, eachBatch } = handlers;
        if ((typeof eachMessage === 'function') === (typeof eachBatch === 'function')) {
            throw new TypeError('run needs eachMessage or eachBatch');
        }
        this.#consumer = consumer;
        this.#handlers = handlers;
        this.#setInHand = setInHand;
    }

    stop() { this.#stopping.abort(); }

    get #isRunning() { return !this.#stopping.signal.aborted; }

    /* next(signal) resolves to a batch, or to null when the consumer was closed. */
    async start(next) {
        const { signal } = this.#stopping;
        const { retries = 5, initialRetryTime = 300, maxRetryTime = 30000 } = this.#handlers.retry ?? {};
        let failures = 0;
        try {
            while (this.#isRunning) {
                const batch = await next(signal);
                if (batch === null) return;
                await this.#workOn(batch);
                failures = this.#error === null ? 0 : failures + 1;
                if (failures > retries) throw this.#error;
                const pause = Math.min(initialRetryTime * 2 ** (failures - 1), maxRetryTime);
                if (failures > 0) await sleep(pause, undefined, { signal });
            }
        } catch (error) {
            if (this.#isRunning || error.name !== 'AbortError') throw error;
        }
    }

    async #workOn(batch) {
        const inHand = new InHand(batch);
        const limit = this.#handlers.partitionsConsumedConcurrently ?? 1;
        this.#error = null;
        this.#setInHand(inHand);
        try {
            await concurrently(inHand.parts, limit, (part) => this.#workOnPart(part, inHand, batch));
        } finally {
            this.#setInHand(null);
            inHand.end();
        }
    }

    async #workOnPart(part, inHand, batch) {
        if (!part.hasMore || !this.#mayGoOn) return;
        try {
            if (this.#handlers.eachMessage !== undefined) await this.#handMessages(part, inHand);
            else await this.#handBatch(part, batch);
        } catch (error) {
            this.#error ??= error;
        }
    }

    get #mayGoOn() { return this.#isRunning && this.#error === null; }

    /* What handlers of both kinds are given. */
    #tools({ topic, partition }) {
        return {
            heartbeat: async () => {}, // the library's own thread keeps the group's heartbeats
            pause: () => {
                this.#consumer.pause([{ topic, partition }]);
                return () => this.#consumer.resume([{ topic, partition }]);
            },
        };
    }

    async #handMessages(part, inHand) {
        const { topic, partition } = part.info;
        const tools = this.#tools(part.info);
        while (part.hasMore && this.#mayGoOn) {
            await this.#handlers.eachMessage({ topic, partition, message: part.record, ...tools });
            part.done++;
            inHand.markSoon();
        }
    }

    async #handBatch(part, batch) {
        const { info } = part;
        const messages = Array.from({ length: info.count }, (_, i) => batch.record(info.start + i));
        const last = messages[messages.length - 1];
        await this.#handlers.eachBatch({
            batch: {
                topic: info.topic, partition: info.partition, highWatermark: info.highWatermark, messages,
                isEmpty: () => messages.length === 0,
                firstOffset: () => messages[0].offset,
                lastOffset: () => last.offset,
                offsetLag: () => info.highWatermark - 1n - last.offset,
            },
            resolveOffset: (offset) => {
                while (!part.isFinished && part.record.offset <= BigInt(offset)) part.done++;
                part.mark();
            },
            commitOffsetsIfNecessary: async (offsets) => {
                part.mark();
                if (offsets !== undefined) await this.#consumer.commit(flatten(offsets));
            },
            isRunning: () => this.#isRunning,
            isStale: () => part.isDropped,
            ...this.#tools(info),
        });
        const isResolved = this.#handlers.eachBatchAutoResolve ?? true;
        if (isResolved && this.#isRunning && !part.isDropped) part.done = info.count;
    }
}

/* KafkaJS's {topics: [{topic, partitions: [{partition, offset}]}]} as a list; a list as it is. */
function flatten(offsets) {
    if (Array.isArray(offsets)) return offsets;
    return offsets.topics.flatMap(
        ({ topic, partitions }) => partitions.map(({ partition, offset }) => ({ topic, partition, offset })));
}

/* Runs work(item) for all, so many at a time. */
async function concurrently(items, limit, work) {
    let next = 0;
    const worker = async () => {
        while (next < items.length) await work(items[next++]);
    };
    await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
}

module.exports = { Run };
