import { io } from "/client/socket.io.esm.min.js";
import { CHAT, events, name, onSay, showProblem, showStatus, whoIsThere } from "/static/page.js";

const socket = io({ auth: { name } });
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
