/* A program of somebody else, who has installed the package. */
import { Consumer, Producer } from 'sluice';
import { Cluster } from 'sluice/testing';

const cluster = new Cluster({ topics: { t: 1 } });
const producer = new Producer(cluster.brokers, { compressionType: 'zstd' });
const values = Array.from({ length: 1000 }, (_, i) => `value ${i}`);
await producer.sendMany('t', values);
const consumer = new Consumer(cluster.brokers, { groupId: 'g', topics: ['t'], fromBeginning: true });
let count = 0;
for await (const record of consumer) {
    if (record.text() !== values[count++]) throw new Error(`record ${count} is ${record.text()}`);
    if (count === values.length) break;
}
await Promise.all([producer.close(), consumer.close()]);
