// How connections end and come back.

/** The client leaves. */
export async function client_leaves({ connected, happens }) {
  const socket = await connected("/");
  await socket.emitWithAck("enter", "tea");
  const gone = happens(socket, "disconnect");
  const closed = happens(socket.io.engine, "close");
  socket.disconnect();
  await closed;
  return { reason: (await gone)[0] };
}

/** The client closes the transport below the namespace. */
export async function client_closes_the_transport({ connected, happens }) {
  const socket = await connected("/");
  const gone = happens(socket, "disconnect");
  socket.io.engine.close();
  return { reason: (await gone)[0] };
}

/** The client's process dies: the connection breaks without a word. */
export async function client_dies({ connected, say, told }) {
  const socket = await connected("/");
  say("connected", socket.id);
  await told();
  process.kill(process.pid, "SIGKILL");
}

/** The client stops answering pings. */
export async function client_falls_silent({ connected, happens }) {
  const socket = await connected("/");
  const { engine } = socket.io;
  engine._pingTimeout = 60_000; // it does not give the server up first
  const send = engine._sendPacket.bind(engine);
  engine._sendPacket = (type, ...rest) => type === "pong" || send(type, ...rest);
  return { reason: (await happens(socket, "disconnect"))[0] };
}

/** The server sends the client away; it does not come back by itself. */
export async function server_kicks({ connected, happens }) {
  const socket = await connected("/", { reconnection: true, reconnectionDelay: 10 });
  socket.emit("kick");
  const [reason] = await happens(socket, "disconnect");
  await new Promise((resolve) => setTimeout(resolve, 100));
  return { reason, active: socket.active, connected: socket.connected };
}

/** The server stops and comes back; the client reconnects with a new id and sends what it kept. */
export async function server_restarts({ connected, settled, happens, say }) {
  const socket = await connected("/", { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100, randomizationFactor: 0 });
  const before = socket.id;
  // A client whose probe fails while it pauses polling, as when the server stops right then, waits for its ping timeout.
  await settled(socket);
  say("connected");
  const [reason] = await happens(socket, "disconnect");
  socket.emit("number", "kept meanwhile");
  say("disconnected", reason);
  await happens(socket, "connect");
  return { changed: socket.id !== before, echoed: await socket.emitWithAck("echo", "back") };
}

/** The client connects, leaves and connects again on one manager. */
export async function comes_back({ connected, happens }) {
  const socket = await connected("/");
  const ids = new Set([socket.id]);
  for (let turn = 0; turn < 3; turn++) {
    socket.disconnect();
    socket.connect();
    await happens(socket, "connect");
    ids.add(socket.id);
  }
  return { ids: ids.size, echoed: await socket.emitWithAck("echo", "back") };
}

/** No server, then one: the client keeps trying. */
export async function waits_for_the_server({ socket, happens, say }) {
  const client = socket("/", { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100, randomizationFactor: 0 });
  const [error] = await happens(client.io, "error");
  say("failed", error.message);
  await happens(client, "connect");
  return { echoed: await client.emitWithAck("echo", "here") };
}

/** Answers the server's farewell. */
export async function server_shuts_down({ connected, happens, say }) {
  const socket = await connected("/");
  say("connected");
  return { reason: (await happens(socket, "disconnect"))[0], active: socket.active };
}

/** The server is replaced by another; clients on each transport come back by themselves. */
export async function server_is_replaced({ connected, settings, happens, say }) {
  const options = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100, randomizationFactor: 0 };
  const clients = await Promise.all(settings.each.map((transports) => connected("/", { ...options, transports })));
  say("connected");
  const ends = await Promise.all(
    clients.map(async (socket) => [(await happens(socket, "disconnect"))[0], socket.active]),
  );
  say("disconnected", ends);
  await Promise.all(clients.map((socket) => socket.connected || happens(socket, "connect")));
  return Promise.all(clients.map((socket) => socket.io.engine.transport.name));
}
