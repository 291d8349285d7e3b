'use strict';

/** What the apps do with a WebSocket: say back what they hear; close it as a server does that has failed, when asked to fail. */
module.exports.converse = (socket) => {
  socket.on('message', (data) => {
    if (String(data) === 'fail') socket.close(1011, 'failed');
    else socket.send(`heard ${data}`);
  });
};
