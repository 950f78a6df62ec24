// The workload on the JavaScript server: node node_app.mjs PORT; with REDIS_URL, rooms are shared over Redis, with STREAMS
// over a Redis Stream, and with RECOVERY clients come back to their sessions.

import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createAdapter as createStreamsAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

async function redisAdapter(url) {
  const publisher = createClient({ url });
  if (process.env.STREAMS) {
    await publisher.connect();
    return createStreamsAdapter(publisher);
  }
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  return createAdapter(publisher, subscriber);
}

const http = createServer();
const url = process.env.REDIS_URL;
const io = new Server(http, {
  ...(url && { adapter: await redisAdapter(url) }),
  ...(process.env.RECOVERY && { connectionStateRecovery: {} }),
});

io.on("connection", (socket) => {
  socket.join("all");
  socket.on("echo", (data, acknowledge) => acknowledge(data));
  socket.on("cast", (data) => io.to("all").emit("news", data));
  socket.on("count", (acknowledge) => acknowledge(io.of("/").sockets.size));
});

http.listen(Number(process.argv[2]), "127.0.0.1");
