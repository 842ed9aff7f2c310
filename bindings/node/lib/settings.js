'use strict';
/* Options of a client: Kafka's names, as they are ('linger.ms') or in JavaScript's way (lingerMs),
 * and a few that are this binding's own. */
const abi = require('./abi.js');
const { SluiceError, must } = require('./errors.js');

/* What the rest of the binding needs: log lines and ended operations arrive as events, and a wake
 * for each. */
const always = { 'log.to': 'events', 'fd.events': 'true' };

const dotted = (name) => name.replace(/[A-Z]/g, (letter) => `.${letter.toLowerCase()}`);

function textOf(name, value) {
    if (Array.isArray(value)) return value.join(',');
    if (typeof value === 'object' || typeof value === 'function') {
        throw new TypeError(`${name} has to be a text, a number or a boolean`);
    }
    return String(value);
}

/* The arguments of a constructor, (brokers, options) or (options), as one object. */
function takeOptions(brokers, options) {
    if (typeof brokers === 'string' || Array.isArray(brokers)) return { ...options, brokers };
    return { ...brokers, ...options };
}

/* Takes the options named in `own` out of the others, which become settings of the library. */
function split(options, own, fallbacks) {
    const mine = {};
    const settings = new Map(Object.entries(fallbacks));
    for (const [name, value] of Object.entries(options)) {
        if (value === undefined) continue;
        if (own.includes(name)) mine[name] = value;
        else if (name === 'brokers') settings.set('bootstrap.servers', textOf(name, value));
        else settings.set(dotted(name), textOf(name, value));
    }
    for (const [name, value] of Object.entries(always)) settings.set(name, value);
    return { mine, settings };
}

/* A config of the library with all settings, checked for the role: every mistake in one error. */
function makeConfig(settings, role) {
    const config = abi.config_create();
    for (const [name, value] of settings) abi.config_set(config, name, value);
    const code = abi.config_check(config, role);
    if (code === 0) return config;
    const message = abi.config_message(config);
    abi.config_free(config);
    if (code === abi.ERR_CONFIG && message !== '') throw new SluiceError(message.trimEnd(), code);
    return must(code);
}

module.exports = { takeOptions, split, makeConfig, dotted };
