// Reads answers word by word, and goes on where it was after a reload.
import { io } from "./client/socket.io.esm.min.js";

const $ = (id) => document.getElementById(id);
const STORE = "answers";

// What was read so far: id, question, text, the offset of the last word, and whether the answer has ended.
const answers = JSON.parse(sessionStorage.getItem(STORE) ?? "[]");
const views = new Map(); // id -> the elements that show the answer
// The path is found from the page's own address, so that the example may be served under any prefix.
const path = new URL("socket.io", location.href.split(/[?#]/)[0]).pathname;
const socket = io({ path });

const save = () => sessionStorage.setItem(STORE, JSON.stringify(answers));
const roomOf = (id) => `answer|${id}`;
const answerIn = (room) => answers.find(({ id }) => roomOf(id) === room);

// What the server sends

function onWord(word, { offsets }) {
  for (const [room, offset] of Object.entries(offsets)) {
    const answer = answerIn(room);
    answer.text += word;
    answer.offset = offset;
    show(answer);
  }
  save();
}

function onEnd({ offsets }) {
  for (const [room, offset] of Object.entries(offsets)) Object.assign(answerIn(room), { offset, ended: true });
  Object.keys(offsets).map(answerIn).forEach(show);
  save();
}

function onJoined({ room, offset, complete }) {
  const answer = answerIn(room);
  answer.offset = offset;
  answer.gap ||= !complete;
  show(answer);
  save();
}

socket.on("word", onWord);
socket.on("end", onEnd);
socket.on("joined", onJoined);

socket.on("connect", () => {
  showStatus(true);
  for (const answer of answers) if (!answer.ended) join(answer);
});
socket.on("disconnect", () => showStatus(false));

// What the page asks for

async function join(answer) {
  const { error, question } = await socket.emitWithAck("join_answer", { id: answer.id, since: answer.offset });
  if (error) {
    answer.ended = true;
    showProblem(error.msg);
  } else {
    answer.question = question;
  }
  show(answer);
  save();
}

function add(id, question = "") {
  const answer = { id, question, text: "", offset: null, ended: false, gap: false };
  answers.push(answer);
  show(answer);
  save();
  return answer;
}

async function ask() {
  const text = $("text").value.trim();
  if (!text || !socket.connected) return;
  $("text").value = "";
  const { error, id, question } = await socket.emitWithAck("ask", { text });
  showProblem(error?.msg);
  if (!error) join(add(id, question));
}

// What the reader sees

function show(answer) {
  const element = views.get(answer.id) ?? $("answer").content.firstElementChild.cloneNode(true);
  const list = $("answers");
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  if (!views.has(answer.id)) {
    views.set(answer.id, element);
    list.append(element);
    element.querySelector(".link").href = `?answer=${answer.id}`;
  }
  element.querySelector(".question").textContent = answer.question;
  const text = element.querySelector(".text");
  text.textContent = answer.text;
  text.classList.toggle("unfinished", !answer.ended);
  element.querySelector(".note").hidden = !answer.gap;
  if (isAtEnd) list.scrollTop = list.scrollHeight;
}

function showStatus(isOnline) {
  $("status").textContent = isOnline ? "online" : "connecting";
  $("status").classList.toggle("online", isOnline);
}

function showProblem(text) {
  $("problem").hidden = !text;
  $("problem").textContent = text ?? "";
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    ask();
  }
});
$("clear").addEventListener("click", () => {
  sessionStorage.removeItem(STORE);
  location.assign(location.pathname);
});

const shared = new URLSearchParams(location.search).get("answer");
if (shared && !answers.some(({ id }) => id === shared)) add(shared);
answers.forEach(show);
