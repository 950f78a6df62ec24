// The same protocol with MessagePack packets.
import parser from "socket.io-msgpack-parser";

/** Events, acknowledgements and binary in both directions. */
export async function talks({ connected, happens }) {
  const socket = await connected("/", { parser });
  socket.on("question", (question, answer) => answer([question, Buffer.from([7])]));
  const echoed = await socket.emitWithAck("echo", { text: "ü", bytes: Buffer.from([1, 2]), list: [null, 1.5] });
  socket.emit("mirror", Buffer.from([3]), "two");
  const mirrored = await happens(socket, "mirrored");
  return { echoed, mirrored, asked: await socket.emitWithAck("ask", "why?") };
}

/** Namespaces and refusals. */
export async function namespaces({ connected, socket }) {
  const admin = await connected("/admin", { parser, auth: { token: "secret" } });
  const refused = socket("/admin", { parser, auth: { token: "wrong" } });
  const error = await new Promise((resolve) => refused.on("connect_error", resolve));
  return { where: await admin.emitWithAck("where"), message: error.message, data: error.data };
}

/** The server sends the client away. */
export async function is_kicked({ connected, happens }) {
  const socket = await connected("/", { parser });
  socket.emit("kick");
  return { reason: (await happens(socket, "disconnect"))[0] };
}

/** The client leaves. */
export async function leaves({ connected, happens }) {
  const socket = await connected("/", { parser });
  const closed = happens(socket.io.engine, "close");
  socket.disconnect();
  await closed;
  return socket.connected;
}
