'use strict';
// dd-trace with its implementation of OpenTelemetry's API; AGENT_URL is the test's agent.
const tracer = require('dd-trace').init({ url: process.env.AGENT_URL, flushInterval: 0, startupLogs: false });

new tracer.TracerProvider().register();
