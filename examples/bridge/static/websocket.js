import { CHAT, events, name, onSay, showProblem, showStatus, whoIsThere } from "./page.js";

let socket;
let lastRef = 0;
const questions = new Map(); // the ref of a frame -> what takes the answer, which has the same ref
const presenceChanged = whoIsThere(() => ask("who", { chat_id: CHAT }));
const actions = {
  ...events,
  presence: presenceChanged,
  subscribed() {
    showStatus(true);
    presenceChanged();
  },
  error: showProblem,
};

function send(action, payload, ref) {
  socket.send(JSON.stringify({ action, payload, ref }));
}

function ask(action, payload) {
  return new Promise((resolve) => {
    lastRef += 1;
    questions.set(lastRef, resolve);
    send(action, payload, lastRef);
  });
}

function answer(ref, payload) {
  questions.get(ref)(payload);
  questions.delete(ref);
}

function connect() {
  const url = new URL(`../ws?name=${encodeURIComponent(name)}`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  socket = new WebSocket(url);
  socket.onopen = () => send("subscribe", { room: "chat", data: { chat_id: CHAT } });
  socket.onmessage = ({ data }) => {
    const { action, payload, ref } = JSON.parse(data);
    if (questions.has(ref)) answer(ref, action === "error" ? { error: payload } : payload);
    else actions[action]?.(payload);
  };
  socket.onclose = () => {
    showStatus(false);
    for (const ref of questions.keys()) answer(ref, { error: { msg: "The connection broke." } });
    setTimeout(connect, 1000);
  };
}
connect();

onSay((text) => {
  showProblem(null);
  send("say", { chat_id: CHAT, text });
});
