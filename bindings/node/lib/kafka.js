'use strict';
/* KafkaJS's entrance: new Kafka({clientId, brokers}).producer(), .consumer({groupId}), .admin(). */
const { Admin } = require('./admin.js');
const { Consumer } = require('./consumer.js');
const { Producer } = require('./producer.js');

class Kafka {
    #common;
    constructor(options) { this.#common = options; }
    producer(options) { return new Producer({ ...this.#common, ...options }); }
    consumer(options) { return new Consumer({ ...this.#common, ...options }); }
    admin(options) { return new Admin({ ...this.#common, ...options }); }
}

module.exports = { Kafka };
