/* sluice: a client for the Apache Kafka protocol.
 *
 * Options of clients are Kafka's own names, as they are ('linger.ms') or in JavaScript's way
 * (lingerMs); CONFIGURATION.md lists them. Keys and values are bytes or text; null is a tombstone. */

export type Bytes = Uint8Array | string;
/** Of a name that is there several times, an array; an iterable of pairs keeps any order. */
export type Headers = Record<string, Bytes | null | Array<Bytes | null>> | Iterable<[string, Bytes | null]>;
export type Setting = string | number | boolean | readonly string[];

/** Milliseconds; -1 waits without limit. An abort ends the wait, not what was begun. */
export interface WaitOptions {
    timeout?: number;
    signal?: AbortSignal;
}

export interface ClientOptions {
    brokers?: string | readonly string[];
    /** Gets log lines; level as syslog has it (3 error, 4 warning, 6 info, 7 debug). Default: the
     *  console. null: nobody. */
    logger?: ((level: number, line: string) => void) | null;
    [setting: string]: unknown;
}

export interface Metric {
    group: string;
    name: string;
    type: 'counter' | 'gauge';
    value?: number;
    [label: string]: string | number | undefined;
}

export class SluiceError extends Error {
    readonly errno: number;
    /** 'SLUICE_ERR_TIMEOUT', 'TOPIC_ALREADY_EXISTS', … */
    readonly code: string;
    readonly class: 'notice' | 'retry' | 'abort' | 'denied' | 'fatal' | 'usage' | 'gone';
    readonly retriable: boolean;
    readonly fatal: boolean;
    /** What to do about it. */
    readonly hint: string;
}

export class DeliveryError extends SluiceError {
    /** 'maybe written': nobody can know, so it must not just be sent again. */
    readonly outcome: 'not written' | 'maybe written';
    readonly topic: string;
    readonly partition: number;
    /** Of a sendMany: the records that did not make it, by their place. */
    readonly failures?: Array<{ index: number; error: DeliveryError }>;
}

/** What all clients share. A client connects when it is first used. */
declare class Client {
    readonly closed: boolean;
    /** Resolves when a broker has answered. */
    ready(options?: WaitOptions): Promise<void>;
    partitions(topic: string, options?: WaitOptions): Promise<number>;
    metrics(options?: WaitOptions & { format?: 'objects' }): Promise<Metric[]>;
    metrics(options: WaitOptions & { format: 'prometheus' }): Promise<string>;
    /** The readable state of the client. */
    dump(): string;
    /** Ends the client: what was sent gets its outcome, what was finished is committed. */
    close(options?: { timeout?: number }): Promise<void>;
    connect(options?: WaitOptions): Promise<void>;
    disconnect(options?: { timeout?: number }): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
}

/* ---- producing ---- */

export interface RecordOptions {
    key?: Bytes | null;
    headers?: Headers | null;
    partition?: number;
    timestamp?: number | Date;
}

export interface SendOptions extends RecordOptions {
    signal?: AbortSignal;
}

export interface Message extends RecordOptions {
    value?: Bytes | null;
}

/** Where a record is. */
export interface Sent {
    readonly topic: string;
    readonly partition: number;
    /** -1 when the broker did not tell it (acks=0). */
    readonly offset: bigint;
    /** The broker's append time, or -1: the record keeps its own. */
    readonly timestamp: number;
}

/** Where records of one partition are. */
export interface SentPart {
    topic: string;
    partition: number;
    count: number;
    baseOffset: bigint;
}

export class Producer extends Client {
    constructor(brokers: string | readonly string[], options?: ClientOptions);
    constructor(options: ClientOptions);
    /** Records without an outcome. */
    readonly pending: number;
    /** Sends a record; the promise is of its outcome. Records of one turn of the event loop cross to the
     *  library together, and leave at once (linger.ms is 0 here unless it is set). */
    send(topic: string, value?: Bytes | null, options?: SendOptions): Promise<Sent>;
    send(many: { topic: string; messages: readonly Message[] }): Promise<SentPart[]>;
    /** Sends many records of a topic; all or none are accepted. */
    sendMany(topic: string, records: ReadonlyArray<Bytes | null | Message>,
        options?: { partition?: number; keys?: ReadonlyArray<Bytes | null | undefined>; signal?: AbortSignal }): Promise<SentPart[]>;
    /** Resolves when the library has taken everything: for loops that send more than the network takes. */
    drain(options?: { signal?: AbortSignal }): Promise<void>;
    /** Resolves when all that was sent is written, rejects if some was not. */
    flush(options?: WaitOptions): Promise<void>;
    /** Drops what was never sent to a broker: those promises reject. */
    discard(): void;
    /** The partition that the Java client gives a key. */
    static partition(key: Bytes, partitions: number): number;
}

/* ---- consuming ---- */

export interface TopicPartition {
    topic: string;
    partition: number;
}

/** The next offset to read, or where that is: a Date stands for the first record at or after it. */
export type Place = bigint | number | string | 'earliest' | 'latest' | 'committed' | Date;

export interface TopicPartitionOffset extends TopicPartition {
    offset: Place;
    metadata?: string | null;
    leaderEpoch?: number;
}

export interface OffsetEntry extends TopicPartition {
    /** -1: unknown. */
    offset: bigint;
    committed: bigint;
    end: bigint;
    leaderEpoch: number;
    metadata: string | null;
    paused: boolean;
    /** Why this entry failed, or 0. */
    code: number;
}

export interface Position extends OffsetEntry {
    /** Records that are still to be read, or null when it is not known. */
    lag: number | null;
}

/** A record of a batch: a view that reads when it is asked, valid as long as it is referred to. */
export interface ConsumedRecord extends TopicPartition {
    readonly offset: bigint;
    readonly timestamp: number;
    readonly key: Buffer | null;
    readonly value: Buffer | null;
    /** Of a name that is there several times the last; headerList has all. */
    readonly headers: Record<string, Buffer | null>;
    readonly headerList: Array<[string, Buffer | null]>;
    /** Bytes of key and value. */
    readonly size: number;
    /** The value as text. */
    text(): string | null;
    json<T = unknown>(): T;
    /** Says that this record and those before it in its partition are processed. */
    mark(): void;
}

/** One partition's part of a batch. */
export interface BatchPart extends TopicPartition {
    /** The place of its first record in the batch. */
    start: number;
    count: number;
    firstOffset: bigint;
    nextOffset: bigint;
    highWatermark: bigint;
    /** nextOffset is the end of the partition. */
    atEnd: boolean;
    leaderEpoch: number;
}

/** What a poll returned. Records are read by their place, without an object for each, or as views. */
export class Batch implements Iterable<ConsumedRecord> {
    readonly length: number;
    /** The bytes of all records. */
    readonly data: Buffer;
    readonly partitions: BatchPart[];
    readonly isOpen: boolean;
    record(i: number): ConsumedRecord;
    [Symbol.iterator](): Iterator<ConsumedRecord>;
    partitionOf(i: number): BatchPart;
    offset(i: number): bigint;
    timestamp(i: number): number;
    key(i: number): Buffer | null;
    value(i: number): Buffer | null;
    text(i: number): string | null;
    headers(i: number): Array<[string, Buffer | null]>;
    size(i: number): number;
    values(part?: { start?: number; count?: number }): Array<Buffer | null>;
    /** Says that record i and those before it in its partition are processed; false: too late. */
    mark(i: number): boolean;
    markPart(part: number, count?: number): boolean;
    /** All of it is processed. */
    finish(): void;
    /** What is not marked comes again. */
    retry(): void;
    /** Nothing is said of processing. */
    release(): void;
}

export interface ConsumerOptions extends ClientOptions {
    topics?: string | RegExp | ReadonlyArray<string | RegExp>;
    fromBeginning?: boolean;
    /** Told of partitions that come and go, before records of those that came are read; for 'assigned'
     *  it may return where to begin. */
    onRebalance?: (kind: 'assigned' | 'revoking' | 'lost', partitions: TopicPartition[]) =>
        void | TopicPartitionOffset[] | Promise<void | TopicPartitionOffset[]>;
}

export interface HandlerTools {
    /** Nothing to do: the library keeps the group's heartbeats. */
    heartbeat(): Promise<void>;
    /** Pauses the partition; returns what resumes it. */
    pause(): () => void;
}

export interface EachMessagePayload extends TopicPartition, HandlerTools {
    message: ConsumedRecord;
}

export interface EachBatchPayload extends HandlerTools {
    batch: TopicPartition & {
        highWatermark: bigint;
        messages: ConsumedRecord[];
        isEmpty(): boolean;
        firstOffset(): bigint;
        lastOffset(): bigint;
        offsetLag(): bigint;
    };
    resolveOffset(offset: bigint | number | string): void;
    commitOffsetsIfNecessary(offsets?: TopicPartitionOffset[] |
        { topics: Array<{ topic: string; partitions: Array<{ partition: number; offset: Place }> }> }): Promise<void>;
    isRunning(): boolean;
    isStale(): boolean;
}

export interface RunOptions {
    eachMessage?: (payload: EachMessagePayload) => void | Promise<void>;
    eachBatch?: (payload: EachBatchPayload) => void | Promise<void>;
    eachBatchAutoResolve?: boolean;
    partitionsConsumedConcurrently?: number;
    /** A handler that throws is tried again, after a pause that doubles; then `running` rejects. */
    retry?: { retries?: number; initialRetryTime?: number; maxRetryTime?: number };
}

type Topics = string | RegExp | ReadonlyArray<string | RegExp>;

export class Consumer extends Client implements AsyncIterable<ConsumedRecord> {
    constructor(brokers: string | readonly string[], options?: ConsumerOptions);
    constructor(options: ConsumerOptions);
    subscribe(topics: Topics | { topics?: Topics; topic?: Topics; fromBeginning?: boolean }): void;
    assign(partitions: readonly (TopicPartition & Partial<TopicPartitionOffset>)[] | null): void;
    assignment(): TopicPartition[];
    positions(): Position[];
    seek(partitions: TopicPartitionOffset | readonly TopicPartitionOffset[]): void;
    pause(partitions?: TopicPartition | readonly TopicPartition[]): void;
    resume(partitions?: TopicPartition | readonly TopicPartition[]): void;
    /** Commits what is finished, or these offsets: of each partition the next to read. */
    commit(offsets?: readonly TopicPartitionOffset[] | null, options?: WaitOptions): Promise<OffsetEntry[]>;
    committed(partitions: readonly TopicPartition[], options?: WaitOptions): Promise<OffsetEntry[]>;
    offsets(partitions: readonly TopicPartitionOffset[], options?: WaitOptions): Promise<OffsetEntry[]>;
    /** The next batch, to be given back by finish, retry or release; null: none in time. */
    poll(options?: WaitOptions): Promise<Batch | null>;
    /** A batch that was not given back when the next one is asked for is finished; one that the loop
     *  was left with comes again, except for what was marked. */
    batches(options?: { signal?: AbortSignal }): AsyncIterableIterator<Batch>;
    /** A record is processed when the next one is asked for; the one that the loop was left with is not. */
    records(options?: { signal?: AbortSignal }): AsyncIterableIterator<ConsumedRecord>;
    [Symbol.asyncIterator](): AsyncIterableIterator<ConsumedRecord>;
    /** Resolves when it has begun; `running` is of its end. */
    run(handlers: RunOptions): Promise<void>;
    running?: Promise<void>;
    stop(): Promise<void>;
}

/* ---- the rest ---- */

export class Admin extends Client {
    constructor(brokers: string | readonly string[], options?: ClientOptions);
    constructor(options: ClientOptions);
    createTopic(topic: string, options?: WaitOptions & { partitions?: number; replicas?: number;
        settings?: Record<string, Setting> }): Promise<void>;
    deleteTopic(topic: string, options?: WaitOptions): Promise<void>;
    offsets(partitions: readonly TopicPartitionOffset[], options?: WaitOptions): Promise<OffsetEntry[]>;
}

/** KafkaJS's entrance to the three of them. */
export class Kafka {
    constructor(options: ClientOptions);
    producer(options?: ClientOptions): Producer;
    consumer(options?: ConsumerOptions): Consumer;
    admin(options?: ClientOptions): Admin;
}

export const version: string;
/** What the library can do: 'gzip', 'snappy', 'lz4', 'zstd', … */
export const features: string[];
