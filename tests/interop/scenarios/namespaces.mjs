// Namespaces, authentication and refusals.

/** Three namespaces share a connection and stay apart. */
export async function share_a_connection({ manager, happens }) {
  const connection = manager();
  const sockets = ["/", "/news", "/admin"].map((name) => connection.socket(name, { auth: { token: "secret" } }));
  await Promise.all(sockets.map((socket) => happens(socket, "connect")));
  const [root, news, admin] = sockets;
  return {
    ids: new Set(sockets.map((socket) => socket.id)).size,
    where: [await news.emitWithAck("where"), await admin.emitWithAck("where")],
    root: (await root.emitWithAck("where")).event,
  };
}

/** Leaving one namespace keeps the others. */
export async function leaves_one({ manager, happens }) {
  const connection = manager();
  const root = connection.socket("/");
  const news = connection.socket("/news");
  await Promise.all([happens(root, "connect"), happens(news, "connect")]);
  news.disconnect();
  return { echoed: await root.emitWithAck("echo", "here"), news: news.connected };
}

/** The server ends one namespace and keeps the others; the client can come back. */
export async function is_sent_away({ manager, happens }) {
  const connection = manager();
  const root = connection.socket("/");
  const news = connection.socket("/news");
  await Promise.all([happens(root, "connect"), happens(news, "connect")]);
  news.emit("end");
  const [reason] = await happens(news, "disconnect");
  const echoed = await root.emitWithAck("echo", "here");
  news.connect();
  await happens(news, "connect");
  return { reason, echoed, back: await news.emitWithAck("where") };
}

/** A broadcast in a namespace reaches the clients of that namespace only. */
export async function broadcast_stays_inside({ manager, happens }) {
  const sockets = ["/news", "/news", "/"].map((name) => manager().socket(name));
  await Promise.all(sockets.map((socket) => happens(socket, "connect")));
  const heard = sockets.map(() => []);
  sockets.forEach((socket, index) => socket.on("published", (text) => heard[index].push(text)));
  const both = Promise.all([happens(sockets[0], "published"), happens(sockets[1], "published")]);
  sockets[0].emit("publish", "extra");
  await both;
  await sockets[2].emitWithAck("echo", "flush");
  return heard;
}

/** A class namespace keeps a session. */
export async function class_namespace({ connected }) {
  const socket = await connected("/counter");
  return [await socket.emitWithAck("add", 2), await socket.emitWithAck("add", 3)];
}

/** auth given as an object. */
export async function auth_object({ connected }) {
  const socket = await connected("/", { auth: { token: "secret", n: 1 } });
  return socket.connected;
}

/** auth given as a function. */
export async function auth_function({ connected }) {
  const socket = await connected("/", { auth: (answer) => answer({ token: "made by a function" }) });
  return socket.connected;
}

async function refusal({ socket, happens }, namespace, extra) {
  const client = socket(namespace, extra);
  const [error] = await happens(client, "connect_error");
  return { message: error.message, data: error.data ?? null, connected: client.connected };
}

/** A refusal tells its message and its data. */
export async function refused_with_data(harness) {
  return refusal(harness, "/admin", { auth: { token: "wrong" } });
}

/** `return False` refuses. */
export async function refused_by_false(harness) {
  return refusal(harness, "/closed");
}

/** A connect handler that fails refuses, without its text. */
export async function refused_by_a_failure(harness) {
  return refusal(harness, "/broken");
}

/** A namespace nobody serves is refused. */
export async function refused_unknown(harness) {
  return refusal(harness, "/nobody");
}

/** A refused namespace leaves the others of its connection alone, and may be tried again. */
export async function refused_then_accepted({ manager, happens }) {
  const connection = manager();
  const root = connection.socket("/");
  const auth = { token: "wrong" };
  const admin = connection.socket("/admin", { auth });
  await Promise.all([
    happens(root, "connect"),
    new Promise((resolve) => admin.once("connect_error", resolve)),
  ]);
  auth.token = "secret";
  admin.connect();
  await happens(admin, "connect");
  return { root: await root.emitWithAck("echo", 1), admin: await admin.emitWithAck("where") };
}
