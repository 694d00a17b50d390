// The stock Socket.IO client, driven by lines of JSON: {"id": …, "do": "open", "name", "url", "options"}, {"do": "emit", "name", "event",
// "arguments"} (answers with what acknowledges it), {"do": "close"}. What happens to a client is told as {"name", "on", "arguments"}.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(`${process.argv[2]}/index.js`);
const { io } = require('socket.io-client');
const clients = new Map();
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

function open({ name, url, options }) {
  const tokens = options.tokens;
  const socket = io(url, { ...options, auth: tokens ? (give) => give({ token: tokens.length > 1 ? tokens.shift() : tokens[0] }) : options.auth });
  clients.set(name, socket);
  const state = () => ({ id: socket.id, recovered: socket.recovered, transport: socket.io.engine?.transport?.name });
  socket.on('connect', () => say({ name, on: 'connect', arguments: [state()] }));
  socket.on('connect_error', (error) => say({ name, on: 'connect_error', arguments: [error.message, error.data ?? null] }));
  socket.on('disconnect', (reason) => say({ name, on: 'disconnect', arguments: [reason] }));
  socket.io.on('open', () => socket.io.engine.on('upgrade', (transport) => say({ name, on: 'upgrade', arguments: [transport.name] })));
  socket.onAny((event, ...given) => say({ name, on: event, arguments: given }));
}

createInterface({ input: process.stdin }).on('line', async (line) => {
  const order = JSON.parse(line);
  const socket = clients.get(order.name);
  if (order.do === 'open') open(order);
  else if (order.do === 'emit')
    socket.timeout(20000).emit(order.event, ...order.arguments, (error, answer) => say({ id: order.id, answer: error ? String(error) : answer }));
  else if (order.do === 'break') socket.io.engine.close();
  else socket.close();
}).on('close', () => process.exit(0));
