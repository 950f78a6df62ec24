// Many clients of a server that has several workers on one port.

/** Connects a crowd; each client asks for its worker, and says its number to all. */
export async function crowd({ connected, settled, settings }) {
  const sockets = await Promise.all(Array.from({ length: settings.count }, () => connected("/")));
  const heard = sockets.map((socket) => {
    const numbers = new Set();
    const all = new Promise((resolve) => socket.on("heard", (number) => numbers.add(number).size === sockets.length && resolve()));
    return { numbers, all };
  });
  await Promise.all(sockets.map(settled));
  const places = await Promise.all(sockets.map((socket) => socket.emitWithAck("where")));
  const acknowledged = await Promise.all(sockets.map((socket, number) => socket.emitWithAck("shout", number)));
  await Promise.all(heard.map(({ all }) => all));
  return {
    connected: sockets.filter((socket) => socket.connected).length,
    acknowledged: acknowledged.filter((pid, number) => pid === places[number][0]).length,
    workers: new Set(acknowledged).size,
    heard: heard.filter(({ numbers }) => numbers.size === sockets.length).length,
    transports: [...new Set(sockets.map((socket) => socket.io.engine.transport.name))],
  };
}

/** A crowd that comes back when its worker ends; the test says when, and then who must have noticed. */
export async function survivors({ connected, settled, say, told, settings }) {
  const sockets = await Promise.all(
    Array.from({ length: settings.count }, () => connected("/", { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 200 })),
  );
  await Promise.all(sockets.map(settled));
  const places = (await Promise.all(sockets.map((socket) => socket.emitWithAck("where")))).map(([pid]) => pid);
  const lost = sockets.map(() => 0);
  sockets.forEach((socket, number) => socket.on("disconnect", () => lost[number]++));
  let isOver = false;
  const load = sockets.map(async (socket) => {
    while (!isOver) await socket.timeout(2000).emitWithAck("length", "x".repeat(500)).catch(() => {});
  });
  say("connected", places);
  const killed = await told();
  const back = sockets.filter((_, number) => places[number] === killed);
  await Promise.all(back.map((socket) => new Promise((resolve) => (socket.connected && lost[sockets.indexOf(socket)] ? resolve() : socket.once("connect", resolve)))));
  const answers = await Promise.all(sockets.map((socket) => socket.timeout(60_000).emitWithAck("where")));
  isOver = true;
  await Promise.all(load);
  return {
    affected: back.length,
    connected: sockets.filter((socket) => socket.connected).length,
    moved: back.filter((socket) => answers[sockets.indexOf(socket)][0] !== killed).length,
    disturbed: lost.filter((count, number) => count && places[number] !== killed).length,
  };
}
