// Two users and two chats: who may read which, and who may remove whom, the server decides.
import { io } from "./client/socket.io.esm.min.js";

const at = (id) => document.getElementById(id);
const token = new URLSearchParams(location.search).get("token");
// The path is found from the page's own address, so that the example may be served under any prefix.
const path = new URL("socket.io", location.href.split(/[?#]/)[0]).pathname;
const socket = io({ path, auth: { token }, autoConnect: token !== null });
let me = "";
let chat = null; // the chat that is open: its id, and its owner
let isAsking = false;
let hasChanged = false;

function element(tag, className, ...children) {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...children);
  return node;
}

function showProblem(text) {
  at("problem").hidden = !text;
  at("problem").textContent = text ?? "";
}

/** Show why a request was refused; return whether it was not. */
function isFine(answer) {
  showProblem(answer?.error?.msg);
  return !answer?.error;
}

function showWelcome(why) {
  at("chat").hidden = true;
  at("welcome").hidden = false;
  at("refusal").hidden = !why;
  at("refusal").textContent = why ?? "";
}

function showChats(chats) {
  at("chats").replaceChildren(
    ...chats.map(({ id, title }) => {
      const button = element("button", "cut", title);
      button.type = "button";
      button.dataset.chat = id;
      button.addEventListener("click", () => join(id));
      return button;
    }),
  );
}

/** Show the people in the chat; its owner may remove the others. */
function showPresent(names) {
  at("present").replaceChildren(
    ...names.map((name) => {
      const person = element("li", "person", element("span", "cut", name));
      if (me === chat.owner && name !== me) {
        const button = element("button", "", "Remove");
        button.type = "button";
        button.setAttribute("aria-label", `Remove ${name}`);
        button.addEventListener("click", () => remove(name));
        person.append(button);
      }
      return person;
    }),
  );
}

function showChat(title) {
  at("title").textContent = title;
  at("present").replaceChildren();
  at("messages").replaceChildren();
  at("messages").dataset.empty = chat ? "Nothing was said since you came in." : "Choose a chat to read what is said in it from now on.";
  for (const button of at("chats").children) {
    if (chat?.id === Number(button.dataset.chat)) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  for (const field of at("say").elements) field.disabled = chat === null;
}

/** Ask who is there, one question at a time; where that changes before the answer has come, ask again. */
async function presenceChanged() {
  hasChanged = true;
  if (isAsking) return;
  isAsking = true;
  while (hasChanged && chat !== null) {
    hasChanged = false;
    const asked = chat;
    const answer = await socket.emitWithAck("who", { chat_id: asked.id }).catch(() => null); // null: the connection broke
    if (answer && !answer.error && asked === chat) showPresent(answer);
  }
  isAsking = false;
}

async function join(id) {
  const answer = await socket.emitWithAck("join_chat", { chat_id: id });
  if (!isFine(answer)) return;
  if (chat !== null && chat.id !== id) await socket.emitWithAck("leave_chat", { chat_id: chat.id });
  chat = { id, owner: answer.owner };
  showChat(answer.title);
  at("text").focus();
  presenceChanged();
}

function leave(why) {
  chat = null;
  showChat("Not in a chat");
  showProblem(why);
}

async function remove(name) {
  isFine(await socket.emitWithAck("remove", { chat_id: chat.id, name }));
}

socket.on("connect_error", (error) => {
  if (!socket.active) showWelcome(error.message);
});
socket.on("disconnect", () => {
  at("status").textContent = "offline";
  at("status").classList.remove("online");
});
socket.on("connect", async () => {
  const { name, chats } = await socket.emitWithAck("hello");
  me = name;
  at("name").textContent = name;
  at("chat").hidden = false;
  at("status").textContent = "online";
  at("status").classList.add("online");
  showChats(chats);
  if (chat !== null) join(chat.id);
});
socket.on("kicked", ({ reason }) => leave(reason));
socket.on("presence", presenceChanged);
socket.on("message_posted", ({ chat_id, author, text }) => {
  if (chat_id !== chat?.id) return;
  const head = element("div", "head", element("span", "author cut", author === me ? "You" : author));
  const line = element("li", author === me ? "message own" : "message", element("div", "", head, element("div", "text", text)));
  at("messages").append(line);
  line.scrollIntoView();
});

at("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await socket.emitWithAck("say", { chat_id: chat.id, text: at("text").value });
  if (isFine(answer)) at("text").value = "";
});

if (token === null) showWelcome();
