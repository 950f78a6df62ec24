// How a connection is made, and what it can carry.

/** Connects, and says which transport each side believes in. */
export async function connects({ connected, settled }) {
  const socket = await connected("/");
  await settled(socket);
  return { id: socket.id, client: socket.io.engine.transport.name, server: await socket.emitWithAck("transport") };
}

/** Sends before, during and after the upgrade; nothing may be lost, doubled or reordered. */
export async function talks_through_an_upgrade({ socket, happens }) {
  const client = socket("/");
  const upgraded = new Promise((resolve) => client.io.once("open", () => client.io.engine.once("upgrade", resolve)));
  const received = [];
  client.on("mirrored", (value) => received.push(value));
  let sent = 0;
  await happens(client, "connect");
  let done = false;
  upgraded.then(() => (done = true));
  while (!done) {
    client.emit("mirror", sent++);
    await client.emitWithAck("echo", "turn");
  }
  for (let more = 0; more < 10; more++) client.emit("mirror", sent++);
  await client.emitWithAck("echo", "last");
  return { received, sent, transport: client.io.engine.transport.name };
}

/** A text and a binary payload that just fit. */
export async function large_payloads({ connected }) {
  const socket = await connected("/");
  const text = "ü".repeat(200_000);
  const bytes = Buffer.alloc(600_000, 7);
  const [sameText] = [await socket.emitWithAck("echo", text)];
  const sameBytes = await socket.emitWithAck("echo", { bytes });
  return { text: sameText === text, bytes: Buffer.compare(Buffer.from(sameBytes.bytes), bytes) === 0 };
}

/** A payload over max_http_buffer_size ends the connection. */
export async function too_large({ connected, happens }) {
  const socket = await connected("/");
  socket.emit("echo", "x".repeat(50_000));
  const [reason] = await happens(socket, "disconnect");
  return reason;
}

/** Stays connected over several heartbeats. */
export async function heartbeats({ connected }) {
  const socket = await connected("/");
  let beats = 0;
  await new Promise((resolve, reject) => {
    socket.on("disconnect", reject);
    socket.io.on("ping", () => ++beats === 4 && resolve());
  });
  return { beats, connected: socket.connected };
}

/** The custom headers and the query of the handshake reach the server. */
export async function sends_headers({ connected }) {
  const socket = await connected("/", { extraHeaders: { "X-Token": "abc" } });
  return socket.connected;
}
