// Runs one scenario with the real socket.io-client.
//
//   node runner.mjs GROUP SCENARIO URL OPTIONS(json)
import { createRequire } from "node:module";
import { run, say, told } from "../support/program.mjs";

// The build for require() is the same client, and loads in half the time.
const { io, Manager } = createRequire(import.meta.url)("socket.io-client");
const [group, name, url, options] = process.argv.slice(2);
const managers = [];

const harness = {
  url,
  settings: JSON.parse(options),
  say,
  told,

  /** A socket of a connection of its own, with the transports of the test. */
  socket(namespace = "/", extra = {}) {
    const { transports } = harness.settings;
    const socket = io(url + namespace, { forceNew: true, reconnection: false, ...(transports && { transports }), ...extra });
    managers.push(socket.io);
    return socket;
  },

  /** Several namespaces over one connection. */
  manager(extra = {}) {
    const manager = new Manager(url, { reconnection: false, transports: ["websocket"], ...extra });
    managers.push(manager);
    return manager;
  },

  /** A socket that is connected; a refusal, or a connection that ends first, fails the scenario. */
  async connected(namespace, extra) {
    const socket = harness.socket(namespace, extra);
    await new Promise((resolve, reject) => {
      socket.once("connect", resolve).once("connect_error", reject);
      socket.io.once("close", (reason) => reject(new Error(`the connection ended before CONNECT was answered: ${reason}`)));
    });
    return socket;
  },

  /** Resolves when the connection is on the transport where it stays. */
  async settled({ io: { engine } }) {
    if (!harness.settings.transports && engine.transport.name === "polling") await harness.happens(engine, "upgrade");
  },

  /** The arguments of the next `event`, as a list. */
  happens(emitter, event) {
    return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
  },
};

const scenarios = await import(`./scenarios/${group}.mjs`);
await run(
  () => scenarios[name](harness),
  () => managers.forEach((manager) => manager._close()),
);
