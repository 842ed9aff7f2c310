/* Goal: the types describe the package. Compiled by tsc --strict, never run; what must not compile
 * says so. */
import sluice, { Admin, Consumer, DeliveryError, Kafka, Producer, SluiceError } from 'sluice';
import type { Batch, ConsumedRecord, Sent, SentPart } from 'sluice';
import { Cluster } from 'sluice/testing';

async function produce(cluster: Cluster): Promise<bigint> {
    await using producer = new Producer(cluster.brokers, { lingerMs: 5, 'compression.type': 'lz4', logger: null });
    const sent: Sent = await producer.send('t', 'v', { key: 'k', headers: { a: 'b', c: [new Uint8Array(1), null] } });
    const parts: SentPart[] = await producer.sendMany('t', ['a', null, { value: Buffer.from('b'), partition: 1 }]);
    await producer.send({ topic: 't', messages: [{ key: 'k', value: 'v' }] });
    // @ts-expect-error a topic is a text
    await producer.send(1, 'v');
    // @ts-expect-error a value is bytes or a text
    await producer.send('t', { a: 1 });
    try {
        await producer.flush({ timeout: 1000, signal: AbortSignal.timeout(10) });
    } catch (error) {
        if (error instanceof DeliveryError && error.outcome === 'maybe written') return -1n;
        if (error instanceof SluiceError && error.retriable) return BigInt(error.errno);
    }
    return sent.offset + parts[0]!.baseOffset;
}

async function consume(): Promise<number> {
    const consumer = new Consumer({ brokers: ['a:1', 'b:2'], groupId: 'g', topics: ['t', /^u/], fromBeginning: true });
    for await (const record of consumer) {
        const value: Buffer | null = record.value;
        if (value === null || record.json<{ last: boolean }>().last) break;
    }
    for await (const batch of consumer.batches()) {
        const copy: Batch = batch;
        for (const record of copy) record.mark();
        if (batch.partitions[0]?.atEnd) break;
    }
    consumer.seek({ topic: 't', partition: 0, offset: new Date() });
    await consumer.run({ eachMessage: async ({ message }) => { const record: ConsumedRecord = message; record.mark(); } });
    // @ts-expect-error no such option
    await consumer.run({ eachRecord: () => {} });
    return consumer.positions()[0]?.lag ?? 0;
}

const kafka = new Kafka({ clientId: 'c', brokers: ['a:1'] });
const admin: Admin = kafka.admin();
export const all = [produce, consume, admin.createTopic('t', { partitions: 3 }), sluice.version];
