// Runs one scenario with the real socket.io-client and reports to the test that started it.
//
//   node runner.mjs GROUP SCENARIO URL OPTIONS(json)
//
// One JSON object a line goes to standard output: {"step", "data"} whenever the scenario says something, and at the end
// {"result"} or {"failure"}. The test answers a step by writing a line to standard input.
import { createInterface } from "node:readline";
import { io, Manager } from "socket.io-client";

const [group, name, url, options] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const managers = [];

function print(report) {
  // Binary cannot stand in JSON: it is shown as {"bytes": hex}.
  const show = (_key, value) => {
    if (value?.type === "Buffer") return { bytes: Buffer.from(value.data).toString("hex") };
    if (value instanceof ArrayBuffer) return { bytes: Buffer.from(value).toString("hex") };
    if (ArrayBuffer.isView(value)) return { bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex") };
    return value === undefined ? null : value;
  };
  process.stdout.write(JSON.stringify(report, show) + "\n");
}

const harness = {
  url,
  settings: JSON.parse(options),

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

  /** A socket that is connected; a refusal ends the scenario. */
  async connected(namespace, extra) {
    const socket = harness.socket(namespace, extra);
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("connect_error", reject));
    return socket;
  },

  /** The arguments of the next `event`, as a list. */
  happens(emitter, event) {
    return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
  },

  /** Tell the test that a step is reached. */
  say(step, data = null) {
    print({ step, data });
  },

  /** Wait for the test to say that the next step may begin. */
  async told() {
    const { value } = await lines.next();
    return JSON.parse(value);
  },
};

process.on("unhandledRejection", (error) => finish({ failure: error?.stack ?? String(error) }));

function finish(report) {
  print(report);
  for (const manager of managers) manager._close();
  process.stdout.write("", () => process.exit("failure" in report ? 1 : 0));
}

const scenarios = await import(`./scenarios/${group}.mjs`);
try {
  finish({ result: (await scenarios[name](harness)) ?? null });
} catch (error) {
  finish({ failure: error?.stack ?? String(error) });
}
