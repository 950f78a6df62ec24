import { io } from "/client/socket.io.esm.min.js";

const at = (id) => document.getElementById(id);
const token = new URLSearchParams(location.search).get("token");
const socket = io({ auth: { token } });
let chat = null;
let present = new Set();

function show(answer) {
  at("problem").textContent = answer?.error?.msg ?? "";
  return !answer?.error;
}

function showPresent() {
  at("present").textContent = [...present].sort().join(", ");
}

function leave(why) {
  chat = null;
  present = new Set();
  showPresent();
  at("title").textContent = "Not in a chat";
  at("problem").textContent = why ?? "";
}

async function join(id) {
  const answer = await socket.emitWithAck("join_chat", { chat_id: id });
  if (!show(answer)) return;
  if (chat !== null && chat !== id) await socket.emitWithAck("leave_chat", { chat_id: chat });
  chat = id;
  present = new Set(answer.present);
  showPresent();
  at("title").textContent = answer.title;
  at("messages").replaceChildren();
}

socket.on("connect_error", (error) => leave(error.message));
socket.on("connect", () => chat !== null && join(chat));
socket.on("kicked", ({ reason }) => leave(reason));
socket.on("presence", ({ room, user, state }) => {
  if (room !== `chat|${chat}`) return;
  present[state === "joined" ? "add" : "delete"](user);
  showPresent();
});
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
