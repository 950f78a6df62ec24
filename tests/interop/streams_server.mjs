// The JavaScript server on a Redis Stream, with connection state recovery.
//
//   node streams_server.mjs REDIS_URL STREAM [COUNT [cluster]]
//
// With "cluster" the URL is that of a node of a Redis Cluster.
// It listens on a free port, reports its clients, and does what the test tells it: [command, ...arguments].
import { createServer } from "node:http";

import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient, createCluster } from "redis";
import { Server } from "socket.io";

import { run, say, told } from "../support/program.mjs";

const [url, streamName, streamCount = "1", kind] = process.argv.slice(2);
const redis = kind === "cluster" ? createCluster({ rootNodes: [{ url }] }) : createClient({ url });
await redis.connect();
const options = { streamName, streamCount: Number(streamCount) };
const http = createServer();
const io = new Server(http, { connectionStateRecovery: {}, adapter: createAdapter(redis, options) });

io.on("connection", (socket) => {
  const { id: sid, recovered, rooms, data } = socket;
  say("joined", { sid, recovered, rooms: [...rooms].sort(), data });
  socket.on("enter", (room, answer) => answer(socket.join(room)));
  socket.on("rooms", (answer) => answer([...socket.rooms].sort()));
  socket.on("remember", (value, answer) => answer((socket.data.value = value)));
  socket.on("disconnect", (reason) => say("left", { sid, reason }));
});

const rooms = (names, apart = []) => names.reduce((to, name) => to.to(name), io).except(apart);
const commands = {
  emit: (names, apart, ...event) => rooms(names, apart).emit(...event),
  binary: (names, ...event) => rooms(names).emit(...event, Buffer.from([1, 2])),
  join: (names, room) => rooms(names).socketsJoin(room),
  leave: (names, room) => rooms(names).socketsLeave(room),
  dismiss: (names) => rooms(names).disconnectSockets(),
  ask: async () => say("answers", await io.timeout(30_000).emitWithAck("ask")),
  fetch: async () => say("sockets", (await io.fetchSockets()).map(({ id }) => id)),
  describe: async (names, apart) =>
    say(
      "described",
      (await rooms(names, apart).fetchSockets()).map(({ id, handshake, rooms, data }) => ({
        id,
        handshake,
        rooms: [...rooms].sort(),
        data,
      })),
    ),
  call: async (names, apart, ...event) => say("answers", await rooms(names, apart).timeout(30_000).emitWithAck(...event)),
  others: async (...event) => say("others", await io.serverSideEmitWithAck(...event)),
};

await run(
  async () => {
    await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
    say("listens", http.address().port);
    for (let message = await told(); message !== "end"; message = await told()) {
      const [command, ...args] = message;
      commands[command](...args);
    }
  },
  async () => {
    await io.close();
    await redis.destroy();
  },
);
