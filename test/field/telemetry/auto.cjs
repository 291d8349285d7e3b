'use strict';
const { NodeSDK } = require('@opentelemetry/sdk-node');
const { getNodeAutoInstrumentations } = require('@opentelemetry/auto-instrumentations-node');
const { toTest } = require('../support/to-test.cjs');

new NodeSDK({ spanProcessors: [toTest()], instrumentations: [getNodeAutoInstrumentations()] }).start();
