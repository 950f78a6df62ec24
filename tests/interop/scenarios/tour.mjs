// All that depends on the web server, in one program: connections, payloads, heartbeats and ends.
import * as events from "./events.mjs";
import * as lifecycle from "./lifecycle.mjs";
import * as transports from "./transports.mjs";

/** The harness with options for every socket. */
function being(harness, extra) {
  return {
    ...harness,
    socket: (namespace) => harness.socket(namespace, extra),
    connected: (namespace, more) => harness.connected(namespace, { ...extra, ...more }),
  };
}

/** Does everything; `settings.asking` are options for the server that calls its clients. */
export async function everything(harness) {
  const { asking, name, transports: chosen } = harness.settings;
  return {
    connected: await transports.connects(harness),
    upgraded: chosen ? null : await transports.talks_through_an_upgrade(harness),
    binary: await events.binary(harness),
    answered: await events.answers_the_server(being(harness, asking)),
    large: await transports.large_payloads(harness),
    heartbeats: await transports.heartbeats(harness),
    left: await lifecycle.client_leaves(being(harness, { auth: { name, end: "leaves" } })),
    kicked: await lifecycle.server_kicks(being(harness, { auth: { name, end: "kicked" } })),
  };
}
