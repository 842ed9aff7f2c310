'use strict';
/* diagnostics_channel: what happens, for tracing and monitoring that this package knows nothing of.
 * A channel that nobody listens to costs one look. */
const { channel } = require('node:diagnostics_channel');

module.exports = {
    /* {client, topic, count, bytes}: records were handed to the library */
    send: channel('sluice:producer:send'),
    /* {client, topic, partition, count, outcome, code, baseOffset} of each report */
    delivery: channel('sluice:producer:delivery'),
    /* {client, batch}: a poll returned a batch */
    batch: channel('sluice:consumer:batch'),
    /* {client, kind, partitions} */
    rebalance: channel('sluice:consumer:rebalance'),
    /* {client, kind: 'broker'|'error', code, broker, partition, text} */
    event: channel('sluice:client:event'),
    /* {client, level, line}, level as syslog has it */
    log: channel('sluice:client:log'),
};
