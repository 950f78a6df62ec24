// What both pages show; how they are connected is no matter here.
const at = (id) => document.getElementById(id);

export const name = new URLSearchParams(location.search).get("name") ?? "";
export const CHAT = "lobby";

const ASK_EVERY_MS = 5000;
let isInRoom = false;

at("server").textContent = `${location.host} as ${name || "nobody"}`;

function element(tag, className, ...children) {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...children);
  return node;
}

function append(line) {
  at("messages").append(line);
  line.scrollIntoView();
}

function showMessage({ author, via, text }) {
  const own = author === name;
  const head = element("div", "head", element("span", "author cut", own ? "You" : author), element("span", "via", `over ${via}`));
  append(element("li", own ? "message own" : "message", element("div", "", head, element("div", "text", text))));
}

export function showStatus(isOnline) {
  isInRoom = isOnline;
  at("status").textContent = isOnline ? "in the room" : "offline";
  at("status").classList.toggle("online", isOnline);
}

export function showProblem(error) {
  at("problem").hidden = !error;
  at("problem").textContent = error?.msg ?? "";
}

/** What happens to each event, by its name, which is the same in both protocols. */
export const events = {
  message_posted: showMessage,
  job_done: ({ result }) => append(element("li", "notice strong job", `For you, from a worker: ${result}`)),
};

/**
 * Shows who is there.
 *
 * The event `presence` only says that this has changed; who is there is asked then. One question at a time: where
 * something changes before the answer has come, the answer may be an old one, and the question is asked again.
 *
 * @param ask Asks the server; returns a promise of the names, or of `{ error }`.
 * @returns A function to call when we have come in, and for each `presence`.
 */
export function whoIsThere(ask) {
  let isAsking = false;
  let hasChanged = false;

  async function changed() {
    hasChanged = true;
    if (isAsking) return;
    isAsking = true;
    while (hasChanged) {
      hasChanged = false;
      const answer = await ask().catch(() => null); // null: the connection broke
      if (answer && !answer.error) at("present").replaceChildren(...answer.map((person) => element("li", "person", element("span", "cut", person))));
    }
    isAsking = false;
  }

  // A server that fails tells nobody who is gone with it, and one that is too busy to answer in time is left out.
  setInterval(() => isInRoom && changed(), ASK_EVERY_MS);
  return changed;
}

export function onSay(say) {
  document.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = at("text").value.trim();
    if (text) say(text);
    at("text").value = "";
  });
}
