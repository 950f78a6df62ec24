// How clients move between servers that share a Redis Stream.

/** What a socket gets of events named `news`, without the offset, in order. */
function collect(socket) {
  const news = [];
  socket.on("news", (...args) => news.push(args.slice(0, -1)));
  return news;
}

/** The connection breaks, and the client comes back to the other server. */
export async function moves({ connected, happens, say, told, settings: { other, enters = ["tea"] } }) {
  const socket = await connected("/");
  const { id: sid } = socket;
  for (const room of enters) await socket.emitWithAck("enter", room);
  await socket.emitWithAck("remember", "this");
  const news = collect(socket);
  say("connected", sid);
  await happens(socket, "news");
  const gone = happens(socket, "disconnect");
  socket.io.engine.transport.ws.close();
  await gone;
  say("dropped", socket._pid);
  await told();
  socket.io.uri = other;
  socket.connect();
  await happens(socket, "connect");
  const missed = news.length;
  say("back");
  await happens(socket, "last");
  return { same: socket.id === sid, recovered: socket.recovered, news, missed, rooms: await socket.emitWithAck("rooms") };
}

/** The client stays, and reports what it gets and what happens to it. */
export async function listens({ connected, happens, say, told }) {
  const socket = await connected("/");
  const news = collect(socket);
  socket.on("ask", (...args) => args.at(-1)(socket.id));
  say("connected", socket.id);
  for (let wanted = await told(); wanted !== "end"; wanted = await told()) {
    if (wanted === "rooms") say("rooms", await socket.emitWithAck("rooms"));
    else {
      while (news.length < wanted) await happens(socket, "news");
      say("news", news.splice(0));
    }
  }
  if (socket.connected) await happens(socket, "disconnect");
  return { active: socket.active };
}
