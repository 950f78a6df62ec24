// Rooms and sessions, with several clients at once.

async function three(harness) {
  return Promise.all([harness.connected("/"), harness.connected("/"), harness.connected("/")]);
}

function listening(sockets, event) {
  const heard = sockets.map(() => []);
  sockets.forEach((socket, index) => socket.on(event, (value) => heard[index].push(value)));
  return heard;
}

/** A round trip of each client: what was sent to it before has arrived by then. */
async function settle(sockets) {
  await Promise.all(sockets.map((socket) => socket.emitWithAck("echo", "settle")));
}

/** An emit to a room reaches its members, sender included, and nobody else. */
export async function members_only(harness) {
  const sockets = await three(harness);
  const [ann, ben] = sockets;
  const rooms = await ann.emitWithAck("enter", "tea");
  await ben.emitWithAck("enter", "tea");
  const heard = listening(sockets, "shouted");
  await ann.emitWithAck("shout", "tea", "hello");
  await ann.emitWithAck("whisper", "tea", "psst");
  await ben.emitWithAck("leave", "tea");
  await ann.emitWithAck("shout", "tea", "anyone?");
  await settle(sockets);
  return { rooms, heard: heard.map((list) => list.map(({ text }) => text)) };
}

/** A client in two rooms of one emit hears it once. */
export async function once_for_two_rooms(harness) {
  const sockets = await three(harness);
  const [ann, ben] = sockets;
  for (const room of ["a", "b"]) await ann.emitWithAck("enter", room);
  await ben.emitWithAck("enter", "b");
  const heard = listening(sockets, "shouted");
  await ben.emitWithAck("shout", ["a", "b"], "once");
  await settle(sockets);
  return heard.map((list) => list.length);
}

/** A closed room has no members. */
export async function closed_room(harness) {
  const sockets = await three(harness);
  for (const socket of sockets) await socket.emitWithAck("enter", "tea");
  const heard = listening(sockets, "shouted");
  await sockets[0].emitWithAck("close_room", "tea");
  await sockets[0].emitWithAck("shout", "tea", "hello");
  await settle(sockets);
  return heard.map((list) => list.length);
}

/** A broadcast reaches everybody. */
export async function broadcast(harness) {
  const sockets = await three(harness);
  const heard = Promise.all(sockets.map((socket) => harness.happens(socket, "announced")));
  sockets[0].emit("everyone", "all");
  return heard;
}

/** A room of one client: its own id. */
export async function by_id(harness) {
  const sockets = await three(harness);
  const heard = listening(sockets, "shouted");
  await sockets[0].emitWithAck("shout", sockets[2].id, "you");
  await settle(sockets);
  return heard.map((list) => list.length);
}

/** Each client has a session of its own. */
export async function sessions(harness) {
  const [ann, ben] = await three(harness);
  await ann.emitWithAck("remember", { name: "ann" });
  await ben.emitWithAck("remember", { name: "ben" });
  return [await ann.emitWithAck("recall"), await ben.emitWithAck("recall")];
}
