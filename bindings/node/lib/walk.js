'use strict';
/* What is in hand of a batch: of each partition's part how many records are processed, and whether the
 * rest is not wanted any more (sought, paused, taken away).
 *
 * The library is told while the work goes on: not for each record, but once for those of one turn of the
 * event loop, so that commits follow slow handlers and fast ones pay nothing. */

class Part {
    #batch;
    #index;
    #told = 0;
    constructor(batch, info, index) {
        this.#batch = batch;
        this.#index = index;
        this.info = info;
        this.done = 0; // processed records, from the part's start
        this.isDropped = false;
    }

    get hasMore() { return this.done < this.info.count && !this.isDropped; }
    get isFinished() { return this.done === this.info.count; }
    /* The first record that is not processed. */
    get record() { return this.#batch.record(this.info.start + this.done); }

    mark() {
        if (this.#told === this.done || !this.#batch.isOpen) return;
        this.#told = this.done;
        if (!this.#batch.markPart(this.#index, this.done)) this.isDropped = true;
    }
}

class InHand {
    #batch;
    #isMarking = false;
    constructor(batch) {
        this.#batch = batch;
        this.parts = batch.partitions.map((info, i) => new Part(batch, info, i));
    }

    get isOpen() { return this.#batch.isOpen; }

    mark() { for (const part of this.parts) part.mark(); }

    markSoon() {
        if (this.#isMarking) return;
        this.#isMarking = true;
        setImmediate(() => {
            this.#isMarking = false;
            this.mark();
        }).unref();
    }

    /* Of these partitions no further record is handed out; null: of any. */
    drop(partitions) {
        this.mark();
        const all = partitions === undefined || partitions === null;
        const wanted = all ? [] : [].concat(partitions);
        for (const part of this.parts) {
            const { topic, partition } = part.info;
            part.isDropped ||= all || wanted.some((one) => one.topic === topic && one.partition === partition);
        }
    }

    /* Gives the batch back: what is not processed comes again. */
    end() {
        if (!this.#batch.isOpen) return;
        if (this.parts.every((part) => part.isFinished)) {
            this.#batch.finish();
            return;
        }
        this.mark();
        this.#batch.retry();
    }
}

/* Hands the records out one by one. */
class Walk extends InHand {
    #at = 0; // the part that is walked
    #isOut = false; // one of its records is handed out

    /* The next record, or null; the one before it is processed. */
    next() {
        if (!this.isOpen) return null;
        let part = this.parts[this.#at];
        if (this.#isOut) {
            this.#isOut = false;
            part.done++;
            this.markSoon();
        }
        while (part !== undefined && !part.hasMore) part = this.parts[++this.#at];
        if (part === undefined) return null;
        this.#isOut = true;
        return part.record;
    }
}

module.exports = { InHand, Walk };
