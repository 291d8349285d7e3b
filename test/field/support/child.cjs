'use strict';
// Loaded before every app: the app ends when the test says so, or when the test is gone. Everything that was sent before has arrived by then.
process.on('message', (message) => {
  if (message === 'stop') setImmediate(() => process.send('bye', () => process.exit(0)));
});
process.on('disconnect', () => process.exit(1));
process.channel.unref();
