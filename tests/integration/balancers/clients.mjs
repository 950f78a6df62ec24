// Real clients behind a load balancer: all connect, ask where they are, and hear what one of them says.
//
//   node clients.mjs URL [{"transports", "count", "cookies", "addresses", "pings", "mayStay"}, ...]
//
// A group that may stay on polling is not waited for until it has upgraded.
import http from "node:http";
import { createRequire } from "node:module";
import { run, say, told } from "../../support/program.mjs";

const { io } = createRequire(import.meta.url)("socket.io-client");
const [url, groups] = process.argv.slice(2);
const clients = [];

/** A client, and what has become of it. */
function start({ transports, cookies, addresses, pings = 0, mayStay = false }, number) {
  // Each has connections, and if the test asks for it an address, of its own.
  const agent = new http.Agent({ keepAlive: true, ...(addresses && { localAddress: `127.0.1.${number + 1}` }) });
  const socket = io(url, {
    forceNew: true,
    reconnection: false,
    agent,
    ...(transports && { transports }),
    ...(cookies && { withCredentials: true }),
  });
  const client = { socket, agent, ended: null };
  client.connected = new Promise((resolve, reject) => socket.once("connect", resolve).once("connect_error", reject));
  client.settled = client.connected.then(
    () =>
      transports ||
      mayStay ||
      socket.io.engine.transport.name === "websocket" ||
      new Promise((resolve) => socket.io.engine.once("upgrade", resolve)),
  );
  client.pinged = new Promise((resolve) => {
    let left = pings;
    if (!left) resolve();
    socket.io.on("ping", () => --left || resolve());
  });
  client.heard = new Promise((resolve) => socket.once("said", resolve));
  socket.once("disconnect", (reason) => (client.ended = reason));
  return client;
}

async function scenario() {
  for (const group of JSON.parse(groups)) {
    for (let number = 0; number < group.count; number++) clients.push(start(group, clients.length));
  }
  await Promise.all(clients.map((client) => client.settled));
  const places = await Promise.all(clients.map(({ socket }, n) => socket.timeout(60_000).emitWithAck("where", "x".repeat(n * 100))));
  await Promise.all(clients.map((client) => client.pinged));
  say("here", places.map(({ node, address, data }) => [node, address, data.length]));
  const word = await told();
  const began = performance.now();
  clients[0].socket.emit("say", word);
  const heard = await Promise.all(clients.map((client) => client.heard));
  return {
    heard,
    seconds: (performance.now() - began) / 1000,
    transports: clients.map(({ socket }) => socket.io.engine.transport.name),
    ended: clients.map(({ ended }) => ended),
  };
}

await run(scenario, () =>
  clients.forEach(({ socket, agent }) => {
    socket.disconnect();
    agent.destroy();
  }),
);
