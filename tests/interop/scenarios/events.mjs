// Events and acknowledgements in both directions.

const VALUES = [
  "text", "", "üñí ☃ 🎉", 0, -1, 1.5, 2 ** 53 - 1, true, false, null, [], {}, [1, [2, [3]]], { a: { b: [null, "c"] } },
];

/** Every kind of JSON value comes back as it was sent, as an acknowledgement. */
export async function echoes_values({ connected }) {
  const socket = await connected("/");
  const echoed = [];
  for (const value of VALUES) echoed.push(await socket.emitWithAck("echo", value));
  return { sent: VALUES, echoed };
}

/** Several arguments arrive as several arguments, in events and in acknowledgements. */
export async function several_arguments({ connected, happens }) {
  const socket = await connected("/");
  const acknowledged = await new Promise((resolve) => socket.emit("echo", 1, "two", [3], (...args) => resolve(args)));
  socket.emit("mirror", 1, "two", [3]);
  const mirrored = await happens(socket, "mirrored");
  const none = await new Promise((resolve) => socket.emit("echo", (...args) => resolve(args)));
  return { acknowledged, mirrored, none };
}

/** Binary in every place, nested, several, and empty. */
export async function binary({ connected, happens }) {
  const socket = await connected("/");
  const payload = {
    first: Buffer.from([1, 2, 3]),
    empty: Buffer.alloc(0),
    nested: [{ deep: Uint8Array.from([4, 5]) }, Buffer.from([6]), "text"],
    text: "between",
  };
  const acknowledged = await socket.emitWithAck("echo", payload);
  socket.emit("mirror", payload, Buffer.from([9]));
  const mirrored = await happens(socket, "mirrored");
  const bare = await socket.emitWithAck("echo", Buffer.from([0, 255]));
  return { acknowledged, mirrored, bare };
}

/** An object that looks like a placeholder is data when the event carries no binary. */
export async function placeholder_lookalike({ connected }) {
  const socket = await connected("/");
  return socket.emitWithAck("echo", { _placeholder: true, num: 0 });
}

/** The server's call() waits for this client's acknowledgement, text and binary. */
export async function answers_the_server({ connected }) {
  const socket = await connected("/");
  socket.on("question", (question, answer) => answer({ answered: question }));
  const text = await socket.emitWithAck("ask", "why?");
  const bytes = await socket.emitWithAck("ask", Buffer.from([1, 2]));
  return { text, bytes };
}

/** The server's call() gives up when this client does not answer. */
export async function leaves_the_server_waiting({ connected }) {
  const socket = await connected("/");
  return socket.emitWithAck("ask_in_vain");
}

/** A callback given to the server's emit() gets all arguments of the acknowledgement. */
export async function answers_a_callback({ connected }) {
  const socket = await connected("/");
  const answered = new Promise((resolve) => {
    socket.on("question", (question, answer) => {
      answer("several", 2, [question]);
      resolve(question);
    });
  });
  socket.emit("ask_with_callback", "how?");
  return answered;
}

/** The client's own timeout ends the wait for an acknowledgement that never comes. */
export async function client_timeout({ connected }) {
  const socket = await connected("/");
  try {
    await socket.timeout(200).emitWithAck("silent");
    return "answered";
  } catch (error) {
    return error.message;
  }
}

/** An event without a handler of its own reaches the catch-all handler. */
export async function catch_all({ connected }) {
  const socket = await connected("/");
  return socket.emitWithAck("nobody knows me", 1, { two: 2 });
}

/** What the server emits to any event reaches onAny. */
export async function hears_any({ connected }) {
  const socket = await connected("/");
  const heard = new Promise((resolve) => socket.onAny((event, ...args) => event === "mirrored" && resolve([event, args])));
  socket.emit("mirror", "x");
  return heard;
}

/** `send` and `message` are the same event on both sides. */
export async function messages({ connected, happens }) {
  const socket = await connected("/");
  socket.send("hello");
  return happens(socket, "message");
}

/** Many events in both directions keep their order. */
export async function keeps_order({ connected, settings }) {
  const socket = await connected("/");
  const received = [];
  const all = new Promise((resolve) => {
    socket.on("number", (value) => received.push(value) === settings.count && resolve());
  });
  for (let value = 0; value < settings.count; value++) {
    socket.emit("number", value);
    // Over polling one request carries at most 16 packets of what waits; a turn of the loop lets it go out.
    if (value % 10 === 9) await socket.emitWithAck("echo", value);
  }
  socket.emit("burst", settings.count);
  await all;
  return received;
}

/** Volatile events are sent while connected and dropped, not queued, while not. */
export async function volatile_events({ socket, settled, happens }) {
  const client = socket("/");
  client.volatile.emit("number", "lost");
  await happens(client, "connect");
  await settled(client);
  // Over polling, the client is not ready while the request with its CONNECT is not answered.
  while (!client.io.engine.transport.writable) await new Promise((resolve) => setTimeout(resolve, 5));
  client.volatile.emit("number", "kept");
  await client.emitWithAck("echo", "done");
  return true;
}

/** What is emitted before the connection is buffered and sent once connected. */
export async function buffered_events({ socket }) {
  const client = socket("/");
  client.emit("number", "buffered");
  return client.emitWithAck("echo", "buffered too");
}

/** A handler that fails leaves the connection as it is. */
export async function survives_a_failing_handler({ connected }) {
  const socket = await connected("/");
  socket.emit("fail");
  return { echoed: await socket.emitWithAck("echo", "still here"), connected: socket.connected };
}

/** What the connect handler emits reaches the client. */
export async function welcomed({ socket, happens }) {
  const client = socket("/");
  const [welcome] = await happens(client, "welcome");
  return { same: welcome.sid === client.id };
}
