// The JavaScript server with connection state recovery, for fastsio's clients.
//
// It listens on a free port, reports each client that joins or leaves a namespace, and does what the test tells it:
// [command, ...arguments]. A session expires after so many milliseconds as the argument of the program says.
import { createServer } from "node:http";

import { Server } from "socket.io";

import { run, say, told } from "../../support/program.mjs";

const http = createServer();
const io = new Server(http, { connectionStateRecovery: { maxDisconnectionDuration: Number(process.argv[2]) } });

for (const name of ["/", "/chat"]) {
  io.of(name).on("connection", (socket) => {
    const { id: sid, recovered, rooms, handshake } = socket;
    say("joined", { name, sid, recovered, rooms: [...rooms], auth: handshake.auth });
    socket.join("readers");
    socket.on("disconnect", (reason) => say("left", { name, sid, reason }));
    socket.on("ask", (answer) => socket.emit("question", "text", answer));
  });
}

const commands = {
  emit: (name, ...event) => io.of(name).to("readers").emit(...event),
  binary: (name, event, number) => io.of(name).emit(event, number, Buffer.from([number])),
  volatile: (name, ...event) => io.of(name).volatile.emit(...event),
  ack: (name, ...event) => io.of(name).timeout(30_000).emit(...event, (_error, answers) => say("answers", answers)),
  // While a polling client does not poll, the server cannot see that its connection is cut.
  notice: () => Object.values(io.engine.clients).forEach((client) => client.transport.onClose()),
  dismiss: (name) => io.of(name).disconnectSockets(),
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
  () => io.close(),
);
