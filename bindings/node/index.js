'use strict';
/* sluice: a client for the Apache Kafka protocol. index.d.ts describes all of it. */
const abi = require('./lib/abi.js');
const { SluiceError, DeliveryError } = require('./lib/errors.js');
const { Producer } = require('./lib/producer.js');
const { Consumer } = require('./lib/consumer.js');
const { Admin } = require('./lib/admin.js');
const { Kafka } = require('./lib/kafka.js');

module.exports = {
    Producer, Consumer, Admin, Kafka, SluiceError, DeliveryError,
    version: abi.version_text(),
    features: abi.version_features().split(' '),
};
