import { io } from "../client/socket.io.esm.min.js";
import { CHAT, events, name, onSay, showProblem, showStatus, whoIsThere } from "./page.js";

// The path is found from the page's own address, so that the example may be served under any prefix.
const path = new URL("../socket.io", location.href.split(/[?#]/)[0]).pathname;
const socket = io({ path, auth: { name } });
const presenceChanged = whoIsThere(() => socket.emitWithAck("who", { chat_id: CHAT }));

socket.on("connect", async () => {
  const { error } = await socket.emitWithAck("join_chat", { chat_id: CHAT });
  showProblem(error);
  showStatus(!error);
  if (!error) presenceChanged();
});
socket.on("disconnect", () => showStatus(false));
for (const [event, show] of Object.entries(events)) socket.on(event, show);
socket.on("presence", presenceChanged);

onSay(async (text) => {
  const answer = await socket.emitWithAck("say", { chat_id: CHAT, text });
  showProblem(answer?.error);
});
