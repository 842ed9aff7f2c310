import type { Bytes, ConsumedRecord, Setting } from './index.js';

export interface Fault {
    kind: 'error' | 'delay' | 'cutBefore' | 'cutAfter' | 'silent' | 'corrupt' | 'hostile';
    /** 'Produce', 'Fetch', …; any when it is left out. */
    api?: string;
    topic?: string;
    partition?: number;
    broker?: number;
    /** Kafka's code, of an error. */
    code?: number;
    /** Milliseconds, of a delay. */
    delay?: number;
    /** Matching requests to leave alone first. */
    skip?: number;
    /** How often; -1: until it is healed. */
    times?: number;
}

/** A Kafka cluster in this process, on loopback. */
export class Cluster {
    constructor(options?: { brokers?: number; topics?: Record<string, number>; settings?: Record<string, Setting> });
    /** What to give to clients as brokers. */
    readonly brokers: string;
    set(name: string, value: string): void;
    topic(name: string, options?: { partitions?: number; replicas?: number }): void;
    append(topic: string, value: Bytes | null, options?: { key?: Bytes; partition?: number; timestamp?: number | Date }): void;
    read(topic: string, options?: { partition?: number; from?: bigint | number }): ConsumedRecord[];
    /** Returns what heal takes. */
    fault(fault: Fault): number;
    heal(fault?: number): void;
    broker(id: number, state: 'up' | 'down' | 'frozen'): void;
    moveLeader(topic: string, partition: number, broker: number): void;
    moveCoordinator(group: string, broker: number): void;
    rebalance(group: string): void;
    requests(api?: string | null): number;
    awaitRequests(api: string | null, count: number, options?: { timeout?: number; signal?: AbortSignal }): Promise<void>;
    close(): void;
    [Symbol.asyncDispose](): Promise<void>;
}
