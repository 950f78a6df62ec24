// The conversation with the server: what the page sends, and what it does with what arrives.
import { io } from "./client/socket.io.esm.min.js";
import * as view from "./view.js";

const $ = (id) => document.getElementById(id);

const TYPING_PAUSE_MS = 2000;
const TYPING_EXPIRES_MS = 4000;
const ROOMS_EVERY_MS = 5000;

// The path is found from the page's own address, so that the chat may be served under any prefix.
const path = new URL("socket.io", location.href.split(/[?#]/)[0]).pathname;
const socket = io({ path, autoConnect: false, reconnectionDelay: 500, reconnectionDelayMax: 3000 });
const me = { name: "", room: "" };
const away = { now: true, messages: 0 }; // whether the socket is not connected, and what arrived before it is again
let lastShown = ""; // when the last message on the page was sent
const typists = new Map(); // id of a user who types -> the timer that forgets it

// Connection

socket.on("connect", async () => {
  view.showConnection(true);
  forgetTypists();
  const back = !$("chat").hidden;
  const recovered = back && socket.recovered; // still in the room, and what was said meanwhile has just been shown
  const text = recovered ? caughtUp(away.messages) : "";
  away.now = false;
  if (!recovered && !(await join(me.room))) return;
  if (!back) return;
  view.showNotice(`You are back${text}.`);
  view.showBanner(`Back online${text}`, { back: true });
  setTimeout(() => socket.connected && view.showBanner(null), recovered ? 4000 : 2000);
});

function caughtUp(count) {
  return count === 0 ? ", nothing missed" : `, ${count} ${count === 1 ? "message" : "messages"} caught up`;
}

socket.on("disconnect", (reason) => {
  view.showConnection(false);
  Object.assign(away, { now: true, messages: 0 });
  forgetTypists();
  if (socket.active) view.showBanner("Connection lost. Trying to reconnect…");
  else if (reason === "io server disconnect") view.showBanner("The server ended the connection. Reload the page to come back.");
});

socket.on("connect_error", (error) => {
  if (socket.active) return view.showBanner("The server cannot be reached. Trying again…");
  view.showWelcome(error.message); // refused by the server's connect handler
});

// Room

async function join(name) {
  const answer = await socket.emitWithAck("join", { room: name });
  if (answer.error) {
    socket.disconnect();
    view.showWelcome(explain(answer.error));
    return false;
  }
  me.room = answer.name;
  location.hash = encodeURIComponent(answer.name);
  forgetTypists();
  if (answer.name !== $("room-title").textContent) {
    view.clearMessages();
    lastShown = "";
  }
  view.showRoom(answer, socket.id);
  for (const message of answer.messages) if (message.sent_at > lastShown) show(message);
  refreshRooms();
  return true;
}

async function refreshRooms() {
  const response = await fetch("api/rooms").catch(() => null);
  if (!response?.ok) return;
  const rooms = await response.json();
  if ($("chat").hidden) view.showSuggestions(rooms, (name) => ($("room").value = name));
  else view.showRooms(rooms, me.room, join);
}

socket.on("joined", ({ user, members }) => {
  if (user.id !== socket.id) view.showNotice(`${user.name} joined`);
  view.showMembers(members, socket.id);
  refreshRooms();
});

socket.on("left", ({ user, members }) => {
  view.showNotice(`${user.name} left`);
  view.showMembers(members, socket.id);
  forgetTypist(user.id);
  refreshRooms();
});

// Messages

socket.on("message", (message) => {
  forgetTypist(message.user.id);
  if (away.now) away.messages += 1;
  show(message);
});

function show(message, own = false) {
  lastShown = message.sent_at;
  view.showMessage(message, own);
}

async function send() {
  const text = $("text").value;
  stopTyping();
  const answer = await socket.timeout(5000).emitWithAck("message", { text }).catch(() => null);
  if (answer === null) return view.showError("The server did not answer. Try again.");
  if (answer.error) return fail(answer.error);
  view.showError(null);
  show(answer, true);
  $("text").value = "";
  edited();
}

socket.on("error", (error) => view.showError(explain(error))); // an event without an acknowledgement failed

function fail(error) {
  if (error.type === "rate_limited") return waitFor(error.detail.retry_after);
  view.showError(explain(error));
}

/** Count down until the server takes messages again. */
function waitFor(seconds) {
  const over = seconds <= 0;
  $("send").disabled = !over || !socket.connected;
  view.showError(over ? null : `Slow down: you can send again in ${Math.ceil(seconds)} s.`, { limited: true });
  if (!over) setTimeout(waitFor, Math.min(seconds, 1) * 1000, seconds - 1);
}

/** One sentence for an error object of the server. */
function explain({ type, msg, detail }) {
  const sentences = {
    string_too_short: "Write something first.",
    string_too_long: `That is too long: at most ${view.MAX_LENGTH} characters.`,
  };
  if (type === "validation_error") return detail.map((one) => sentences[one.type] ?? one.msg).join(" ");
  return msg;
}

// Typing

let typing = null;

function edited() {
  const text = $("text");
  view.showLength([...text.value.trim()].length);
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
}

function startTyping() {
  if (typing === null) socket.volatile.emit("typing", { active: true });
  clearTimeout(typing);
  typing = setTimeout(stopTyping, TYPING_PAUSE_MS);
}

function stopTyping() {
  if (typing === null) return;
  clearTimeout(typing);
  typing = null;
  socket.volatile.emit("typing", { active: false });
}

socket.on("typing", ({ user, active }) => {
  forgetTypist(user.id);
  if (!active) return;
  typists.set(user.id, { name: user.name, timer: setTimeout(() => forgetTypist(user.id), TYPING_EXPIRES_MS) });
  showTypists();
});

function forgetTypist(id) {
  clearTimeout(typists.get(id)?.timer);
  typists.delete(id);
  showTypists();
}

function forgetTypists() {
  for (const id of [...typists.keys()]) forgetTypist(id);
}

function showTypists() {
  view.showTyping([...typists.values()].map(({ name }) => name));
}

// The page

$("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  me.name = $("name").value.trim();
  me.room = $("room").value.trim();
  localStorage.setItem("name", me.name);
  view.showBanner(null);
  socket.auth = { name: me.name };
  socket.disconnect().connect();
});

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!$("send").disabled) send();
});

$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
});

$("text").addEventListener("input", () => {
  edited();
  if (!$("send").disabled) view.showError(null);
  if ($("text").value) startTyping();
});

$("leave").addEventListener("click", () => {
  socket.disconnect();
  view.showWelcome();
  refreshRooms();
});

$("name").value = localStorage.getItem("name") ?? "";
if (location.hash) $("room").value = decodeURIComponent(location.hash.slice(1));
setInterval(() => document.hidden || refreshRooms(), ROOMS_EVERY_MS);
refreshRooms();
