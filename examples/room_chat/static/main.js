const byId = (id) => document.getElementById(id);
const sayForm = byId("say");
let socket = null;

byId("join").addEventListener("submit", (event) => {
  event.preventDefault();
  join(byId("room").value.trim());
});

sayForm.addEventListener("submit", (event) => {
  event.preventDefault();
  socket?.send(byId("text").value);
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
  opened.onmessage = (event) => opened === socket && show(event.data);
  opened.onclose = () => opened === socket && setState("not connected", false);
}

/** A text that begins with "> " was said by somebody; any other is a notice of the server. */
function show(text) {
  const isSaid = text.startsWith("> ");
  const line = document.createElement("li");
  line.className = isSaid ? "message" : "notice";
  const shown = isSaid ? line.appendChild(document.createElement("div")) : line;
  if (isSaid) shown.className = "text";
  shown.textContent = isSaid ? text.slice(2) : text;
  byId("messages").append(line);
  line.scrollIntoView();
}

function setState(text, canSay) {
  byId("state").textContent = text;
  byId("state").classList.toggle("online", canSay);
  for (const element of sayForm.elements) element.disabled = !canSay;
  if (canSay) byId("text").focus();
}
