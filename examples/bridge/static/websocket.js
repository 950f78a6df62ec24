import { CHAT, events, name, onSay, showProblem, showStatus } from "/static/page.js";

let socket;
const actions = {
  ...events,
  subscribed: () => showStatus(true),
  error: showProblem,
};

function send(action, payload) {
  socket.send(JSON.stringify({ action, payload }));
}

function connect() {
  socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws?name=${encodeURIComponent(name)}`);
  socket.onopen = () => send("subscribe", { room: "chat", data: { chat_id: CHAT } });
  socket.onmessage = ({ data }) => {
    const { action, payload } = JSON.parse(data);
    actions[action]?.(payload);
  };
  socket.onclose = () => {
    showStatus(false);
    setTimeout(connect, 1000);
  };
}
connect();

onSay((text) => {
  showProblem(null);
  send("say", { chat_id: CHAT, text });
});
