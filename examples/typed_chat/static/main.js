const byId = (id) => document.getElementById(id);
const sayForm = byId("say");
let socket = null;

byId("join").addEventListener("submit", (event) => {
  event.preventDefault();
  join(byId("room").value.trim());
});

sayForm.addEventListener("submit", (event) => {
  event.preventDefault();
  send("room_chat", { message: byId("text").value });
  sayForm.reset();
});

function join(room) {
  socket?.close();
  byId("messages").replaceChildren();
  const url = new URL(`ws/room/${encodeURIComponent(room)}`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const opened = new WebSocket(url);
  socket = opened;
  setState("joining", false);
  // Events of a socket that was replaced are left out.
  opened.onopen = () => opened === socket && setState(`in ${room}`, true);
  opened.onmessage = (event) => opened === socket && receive(JSON.parse(event.data));
  opened.onclose = () => opened === socket && setState("not connected", false);
}

function send(action, payload) {
  socket?.send(JSON.stringify({ action, payload }));
}

function receive({ action, payload }) {
  if (action === "room_notification") show(payload.message, payload.kind);
  if (action === "error") show(payload.msg, "error");
}

/** Show a line; its kind is "said", "notice" or "error". */
function show(text, kind) {
  const line = document.createElement("li");
  line.className = kind === "said" ? "message" : kind;
  const shown = kind === "said" ? line.appendChild(document.createElement("div")) : line;
  if (kind === "said") shown.className = "text";
  shown.textContent = text;
  byId("messages").append(line);
  line.scrollIntoView();
}

function setState(text, canSay) {
  byId("state").textContent = text;
  byId("state").classList.toggle("online", canSay);
  for (const element of sayForm.elements) element.disabled = !canSay;
  if (canSay) byId("text").focus();
}
