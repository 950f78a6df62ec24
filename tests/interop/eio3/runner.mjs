// Runs one scenario with a real socket.io-client of version 1, 2 or 4.
//
//   node runner.mjs SCENARIO URL OPTIONS(json)
import { createRequire } from "node:module";
import { run, say, told } from "../../support/program.mjs";

const [name, url, options] = process.argv.slice(2);
const settings = JSON.parse(options);
const require = createRequire(import.meta.url);
const client = settings.version === 4 ? "socket.io-client" : `socket.io-client-${settings.version}`;
const io = require(client);
const managers = [];

const harness = {
  settings,
  say,
  told,

  /** A module that the client under test uses. */
  part: (module) => createRequire(require.resolve(client))(module),

  /** A socket of a connection of its own, with the transports of the test. */
  socket(namespace = "/", extra = {}) {
    const { transports, base64 } = settings;
    const socket = io(url + namespace, {
      forceNew: true,
      reconnection: false,
      ...(transports && { transports }),
      ...(base64 && { forceBase64: true }),
      ...extra,
    });
    managers.push(socket.io);
    return socket;
  },

  /** Resolves when the socket is connected; a refusal, or a connection that ends first, fails the scenario. */
  connection(socket) {
    return new Promise((resolve, reject) => {
      const fail = (error) => reject(new Error(`not connected: ${error?.description ?? JSON.stringify(error)}`));
      socket.once("connect", () => resolve(socket)).once("connect_error", fail).once("error", fail);
      socket.io.once("close", (reason) => reject(new Error(`the connection ended: ${reason}`)));
    });
  },

  /** A socket that is connected. */
  connected: (namespace, extra) => harness.connection(harness.socket(namespace, extra)),

  /** The arguments of the acknowledgement of an event. */
  ask: (socket, ...event) => new Promise((resolve) => socket.emit(...event, (...args) => resolve(args))),

  /** The arguments of the next `event`, as a list. */
  happens: (emitter, event) => new Promise((resolve) => emitter.once(event, (...args) => resolve(args))),
};

const scenarios = await import("./scenarios.mjs");
await run(
  () => scenarios[name](harness),
  () => managers.forEach((manager) => (manager._close ?? manager.close).call(manager)),
);
