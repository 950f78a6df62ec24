import { io } from "/client/socket.io.esm.min.js";

const at = (id) => document.getElementById(id);
const token = new URLSearchParams(location.search).get("token");
const socket = io({ auth: { token } });
let chat = null;
let isAsking = false;
let hasChanged = false;

function show(answer) {
  at("problem").textContent = answer?.error?.msg ?? "";
  return !answer?.error;
}

/** Ask who is there, one question at a time; where that changes before the answer has come, ask again. */
async function presenceChanged() {
  hasChanged = true;
  if (isAsking) return;
  isAsking = true;
  while (hasChanged && chat !== null) {
    hasChanged = false;
    const asked = chat;
    const answer = await socket.emitWithAck("who", { chat_id: asked }).catch(() => null); // null: the connection broke
    if (answer && !answer.error && asked === chat) at("present").textContent = answer.join(", ");
  }
  isAsking = false;
}

function leave(why) {
  chat = null;
  at("present").textContent = "";
  at("title").textContent = "Not in a chat";
  at("problem").textContent = why ?? "";
}

async function join(id) {
  const answer = await socket.emitWithAck("join_chat", { chat_id: id });
  if (!show(answer)) return;
  if (chat !== null && chat !== id) await socket.emitWithAck("leave_chat", { chat_id: chat });
  chat = id;
  at("title").textContent = answer;
  at("present").textContent = "";
  at("messages").replaceChildren();
  presenceChanged();
}

socket.on("connect_error", (error) => leave(error.message));
socket.on("connect", () => chat !== null && join(chat));
socket.on("kicked", ({ reason }) => leave(reason));
socket.on("presence", presenceChanged);
socket.on("message_posted", ({ chat_id, author, text }) => {
  if (chat_id !== chat) return;
  const line = document.createElement("li");
  line.textContent = `${author}: ${text}`;
  at("messages").append(line);
});

for (const button of document.querySelectorAll("[data-chat]")) {
  button.addEventListener("click", () => join(Number(button.dataset.chat)));
}
at("remove").addEventListener("click", async () => {
  show(await socket.emitWithAck("remove", { chat_id: chat, name: "Ben" }));
});
document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await socket.emitWithAck("say", { chat_id: chat, text: at("text").value });
  if (show(answer)) at("text").value = "";
});
