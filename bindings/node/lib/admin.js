'use strict';
/* The admin client: topics, and offsets of partitions. */
const abi = require('./abi.js');
const { Client } = require('./client.js');
const { resolveOffsets } = require('./consumer.js');
const { split, takeOptions } = require('./settings.js');

class Admin extends Client {
    constructor(brokers, options) {
        const { mine, settings } = split(takeOptions(brokers, options), ['logger'], {});
        super(abi.ADMIN, settings, mine);
    }

    /* createTopic('orders', {partitions, replicas, settings}): -1, the default, is the broker's own. */
    async createTopic(topic, { partitions = -1, replicas = -1, settings = {}, timeout = abi.TIMEOUT_DEFAULT, signal } = {}) {
        const pairs = [...Object.entries(settings).flat().map(String), null];
        await this._operate((handle, out) => abi.admin_create_topic(handle, topic, partitions, replicas, pairs,
            timeout, out), { signal });
    }

    async deleteTopic(topic, { timeout = abi.TIMEOUT_DEFAULT, signal } = {}) {
        await this._operate((handle, out) => abi.admin_delete_topic(handle, topic, timeout, out), { signal });
    }

    /* Turns 'earliest', 'latest' and Dates into offsets: [{topic, partition, offset, code}]. */
    offsets(partitions, { timeout = abi.TIMEOUT_DEFAULT, signal } = {}) {
        return resolveOffsets(this, partitions, timeout, signal);
    }

    connect(options) { return this.ready(options); }
    disconnect(options) { return this.close(options); }
}

module.exports = { Admin };
