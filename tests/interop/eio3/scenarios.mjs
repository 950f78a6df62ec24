// What clients 1.x and 2.x do. Their sockets know neither promises nor auth.

/** Sees the server shut down, and tries to connect again. */
export async function is_let_go({ connected, happens, say }) {
  const socket = await connected("/", { reconnection: true, reconnectionDelay: 10 });
  say("connected");
  const [reason] = await happens(socket, "disconnect");
  await happens(socket.io, "reconnect_attempt");
  return { reason };
}

/** Connects, and says which transport each side believes in. */
export async function connects({ connected, ask, happens, settings }) {
  const socket = await connected();
  const { engine } = socket.io;
  if (!settings.transports && engine.transport.name === "polling") await happens(engine, "upgrade");
  return { id: socket.id, client: engine.transport.name, server: (await ask(socket, "transport"))[0] };
}

/** Emits values and gets them back, as acknowledgement and as event. */
export async function exchanges({ connected, ask, happens, settings }) {
  const socket = await connected();
  const values = [1, null, "", settings.text, { list: [true, 1.5, { text: settings.text }] }];
  const acknowledged = await ask(socket, "echo", ...values);
  const mirrored = happens(socket, "mirrored");
  socket.emit("mirror", ...values);
  return { sent: values, acknowledged, mirrored: await mirrored };
}

/** Emits binary, among it none and much, and gets it back. */
export async function exchanges_binary({ connected, ask, happens }) {
  const socket = await connected();
  const values = [Buffer.from([0, 4, 127, 128, 255]), { deep: [Buffer.alloc(0), "text"] }, Buffer.alloc(70_000, 200)];
  const acknowledged = await ask(socket, "echo", ...values);
  const mirrored = happens(socket, "mirrored");
  socket.emit("mirror", ...values);
  return { sent: values, acknowledged, mirrored: await mirrored };
}

/** Answers what the server asks. */
export async function answers({ connected, ask }) {
  const socket = await connected();
  socket.on("question", (question, answer) => answer(`re: ${question}`, Buffer.from([7])));
  return ask(socket, "ask", "how?");
}

/** Joins namespaces over one connection, one of them with a query. */
export async function joins_namespaces({ connected, connection, ask }) {
  const socket = await connected();
  const news = await connection(socket.io.socket("/news"));
  const admin = await connection(socket.io.socket("/admin", { query: "token=secret&of=a%2Cb" }));
  return { root: socket.id, news: (await ask(news, "where"))[0], admin: (await ask(admin, "where"))[0], id: admin.id };
}

/** Joins a namespace without having asked for the root, as `io("/news")` does. */
export async function joins_by_url({ connected, ask }) {
  const socket = await connected("/admin?token=secret");
  return (await ask(socket, "where"))[0];
}

/** Is refused, and goes on on the same connection. */
export async function is_refused({ connected, ask, happens }) {
  const socket = await connected();
  const refusals = {};
  for (const namespace of ["/admin", "/closed", "/broken", "/nowhere"]) {
    [refusals[namespace]] = await happens(socket.io.socket(namespace), "error");
  }
  return { refusals, echoed: (await ask(socket, "echo", "still here"))[0] };
}

/** Leaves a namespace and the root. */
export async function leaves({ connected, connection, ask, happens }) {
  const socket = await connected();
  await ask(socket, "enter", "tea");
  const admin = await connection(socket.io.socket("/admin", { query: "token=secret" }));
  admin.disconnect();
  await ask(socket, "echo", "the other one is still there");
  const gone = happens(socket, "disconnect");
  const closed = happens(socket.io.engine, "close");
  socket.disconnect();
  await closed;
  return { reason: (await gone)[0] };
}

/** The server sends the client away. */
export async function is_kicked({ connected, happens }) {
  const socket = await connected();
  socket.emit("kick");
  return { reason: (await happens(socket, "disconnect"))[0] };
}

/** Stays connected over several heartbeats, which the client starts. */
export async function heartbeats({ connected, happens }) {
  const socket = await connected();
  for (let beats = 0; beats < 3; beats++) await happens(socket, "pong");
  return { connected: socket.connected };
}

/** Stops pinging, and waiting for pongs. */
export async function falls_silent({ connected, happens }) {
  const socket = await connected();
  const { engine } = socket.io;
  engine.removeAllListeners("heartbeat");
  clearTimeout(engine.pingIntervalTimer);
  clearTimeout(engine.pingTimeoutTimer);
  return { reason: (await happens(socket, "disconnect"))[0] };
}

/** Sends before, during and after the upgrade; nothing may be lost, doubled or reordered. */
export async function talks_through_an_upgrade({ socket, connection, ask, happens }) {
  const client = socket();
  const received = [];
  client.on("mirrored", (value) => received.push(value));
  let done = false;
  // The upgrade may be over before the connection is announced.
  happens(client.io.engine, "upgrade").then(() => (done = true));
  await connection(client);
  let sent = 0;
  while (!done) {
    client.emit("mirror", sent++);
    await ask(client, "echo", "turn");
  }
  for (let more = 0; more < 10; more++) client.emit("mirror", sent++);
  await ask(client, "echo", "last");
  return { received, sent, transport: client.io.engine.transport.name };
}

/** A payload over max_http_buffer_size ends the connection. */
export async function is_too_large({ connected, happens }) {
  const socket = await connected();
  socket.emit("echo", "x".repeat(50_000));
  return { reason: (await happens(socket, "disconnect"))[0] };
}

/** The server stops and comes back. */
export async function reconnects({ connected, ask, happens, say }) {
  const socket = await connected("/", { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100 });
  const before = socket.id;
  say("connected");
  await happens(socket, "disconnect");
  say("disconnected");
  await happens(socket, "connect");
  return { changed: socket.id !== before, echoed: (await ask(socket, "echo", "back"))[0] };
}

/** Waits for a broadcast. */
export async function listens({ connected, ask, happens, say }) {
  const socket = await connected();
  await ask(socket, "enter", "tea");
  const shouted = happens(socket, "shouted");
  say("listening");
  return await shouted;
}

/** Cannot connect. */
export async function is_turned_away({ socket, happens }) {
  return Boolean(await happens(socket(), "connect_error"));
}

/** Encodes a payload as bytes and decodes one, as the client does where its requests carry binary. */
export async function codes_payloads({ part, settings }) {
  const parser = part("engine.io-client").parser;
  const packets = settings.texts.map((data) => ({ type: "message", data })).concat({ type: "message", data: Buffer.from("04ff", "hex") });
  const encoded = await new Promise((resolve) => parser.encodePayloadAsBinary(packets, resolve));
  const decoded = [];
  parser.decodePayload(Buffer.from(settings.payload, "hex"), ({ type, data }) => decoded.push([type, data]));
  return { encoded, decoded };
}

/** Connects a crowd to several workers; each client asks for its worker, and says its number to all. */
export async function crowd({ connected, ask, settings }) {
  const sockets = await Promise.all(Array.from({ length: settings.count }, () => connected()));
  const heard = sockets.map((socket) => {
    const numbers = new Set();
    return new Promise((resolve) => socket.on("heard", (number) => numbers.add(number).size === sockets.length && resolve()));
  });
  const places = await Promise.all(sockets.map((socket) => ask(socket, "where")));
  const acknowledged = await Promise.all(sockets.map((socket, number) => ask(socket, "shout", number)));
  return {
    heard: (await Promise.all(heard)).length,
    connected: sockets.filter((socket) => socket.connected).length,
    acknowledged: acknowledged.filter(([pid], number) => pid === places[number][0][0]).length,
    workers: new Set(acknowledged.map(([pid]) => pid)).size,
  };
}
