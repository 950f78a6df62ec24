// How clients come back to the session that they had.

const COMES_BACK = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50, randomizationFactor: 0 };

/** What a socket gets of events named `news`, without the offset, in order. */
function collect(socket) {
  const news = [];
  socket.on("news", (...args) => news.push(args.slice(0, -1)));
  return news;
}

/** Ends the transport; resolves when the socket knows of it. */
async function drop(socket) {
  const { engine } = socket.io;
  const gone = new Promise((resolve) => socket.once("disconnect", resolve));
  if (engine.transport.name === "websocket") engine.transport.ws.close();
  else engine.close();
  await gone;
}

/** The connection breaks, events are sent meanwhile, and the client comes back to all of it. */
export async function misses_events({ connected, settled, happens, say, told }) {
  const socket = await connected("/", COMES_BACK);
  await settled(socket);
  const before = { sid: socket.id };
  await socket.emitWithAck("enter", "tea");
  const news = collect(socket);
  say("connected", socket.id);
  await happens(socket, "news");
  // The manager waits until the test has sent what is missed.
  socket.io.reconnection(false);
  await drop(socket);
  say("dropped");
  await told();
  socket.connect();
  await happens(socket, "connect");
  return { same: socket.id === before.sid, recovered: socket.recovered, news, rooms: await socket.emitWithAck("rooms") };
}

/** The client never got an event before its connection broke. */
export async function never_got_an_event({ connected, settled, happens, say, told, settings: { namespace = "/quiet" } }) {
  const socket = await connected(namespace, { auth: { token: "secret" } });
  await settled(socket);
  const news = collect(socket);
  const sid = socket.id;
  say("connected", sid);
  await drop(socket);
  say("dropped");
  await told();
  socket.connect();
  await happens(socket, "connect");
  return { same: socket.id === sid, recovered: socket.recovered, news };
}

/** The old connection still stands when the client comes back. */
export async function takes_over({ connected, settled, happens, say, told }) {
  const old = await connected("/");
  await settled(old);
  say("connected", old.id);
  const closed = happens(old, "disconnect");
  const { id, _pid: pid } = old;
  const socket = await connected("/", { auth: { pid } });
  const [reason] = await closed;
  return { same: socket.id === id, pid: socket._pid === pid, reason, active: old.active, here: await socket.emitWithAck("everybody") };
}

/** The client comes back with what the test tells it. */
export async function comes_back_with({ connected, settled, happens, say, told }) {
  const socket = await connected("/");
  await settled(socket);
  const { id, _pid: pid } = socket;
  say("connected", id);
  await happens(socket, "news");
  const { _lastOffset: offset } = socket;
  await drop(socket);
  say("dropped");
  const changes = await told();
  Object.assign(socket, { _pid: pid, _lastOffset: offset }, changes);
  const news = collect(socket);
  socket.connect();
  await happens(socket, "connect");
  return { same: socket.id === id, recovered: socket.recovered, news };
}

/** Events end in a text, and the client's offset is none of these. */
export async function events_end_in_texts({ connected, settled, happens, say, told }) {
  const socket = await connected("/");
  await settled(socket);
  const news = collect(socket);
  say("connected", socket.id);
  await happens(socket, "last");
  await drop(socket);
  say("dropped");
  await told();
  socket.connect();
  await happens(socket, "connect");
  return { recovered: socket.recovered, news };
}

/** The client leaves by itself: there is nothing to come back to. */
export async function leaves_and_comes_back({ connected, settled, happens }) {
  const socket = await connected("/");
  await settled(socket);
  const sid = socket.id;
  socket.disconnect();
  socket.connect();
  await happens(socket, "connect");
  return { same: socket.id === sid, recovered: socket.recovered };
}

/** The server refuses the client when it comes back. */
export async function is_refused({ connected, settled, happens, say, told }) {
  const socket = await connected("/");
  await settled(socket);
  const sid = socket.id;
  say("connected", sid);
  await drop(socket);
  say("dropped");
  await told();
  socket.connect();
  const [error] = await happens(socket, "connect_error");
  say("refused");
  await told();
  socket.connect();
  await happens(socket, "connect");
  return { message: error.message, same: socket.id === sid, recovered: socket.recovered };
}

/** The client closes its transport with its first event, wherever the upgrade is just then, and comes back by itself. */
export async function drops_at_once({ socket: make, happens }) {
  const socket = make("/", COMES_BACK);
  const before = socket.recovered;
  socket.emit("hello");
  await happens(socket, "hello");
  const { id } = socket;
  socket.io.engine.close();
  await happens(socket, "connect");
  return { before, same: socket.id === id, recovered: socket.recovered };
}
