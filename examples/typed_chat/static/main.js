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
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const opened = new WebSocket(`${scheme}://${location.host}/ws/room/${encodeURIComponent(room)}`);
  socket = opened;
  setState(`Joining '${room}' …`, false);
  // What an earlier socket still has to say concerns nobody.
  opened.onopen = () => opened === socket && setState(`You are in '${room}'.`, true);
  opened.onmessage = (event) => opened === socket && receive(JSON.parse(event.data));
  opened.onclose = () => opened === socket && setState("Not connected.", false);
}

function send(action, payload) {
  socket?.send(JSON.stringify({ action, payload }));
}

function receive({ action, payload }) {
  if (action === "room_notification") show(payload.message);
  if (action === "error") show(`⚠️ ${payload.msg}`, "error");
}

function show(text, kind = "") {
  const line = document.createElement("li");
  line.className = kind;
  line.textContent = text;
  byId("messages").append(line);
  line.scrollIntoView();
}

function setState(text, canSay) {
  byId("state").textContent = text;
  for (const element of sayForm.elements) element.disabled = !canSay;
  if (canSay) byId("text").focus();
}
