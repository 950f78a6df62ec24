// What both pages show; how they are connected is no matter here.
const at = (id) => document.getElementById(id);

export const name = new URLSearchParams(location.search).get("name") ?? "";
export const CHAT = "lobby";

const ASK_EVERY_MS = 5000;
let isInRoom = false;

at("server").textContent = `${location.host} as ${name || "nobody"}`;

function line(text, note, kind) {
  const item = document.createElement("li");
  item.className = kind;
  item.textContent = text;
  if (note) {
    const small = document.createElement("small");
    small.textContent = ` ${note}`;
    item.append(small);
  }
  at("messages").append(item);
}

export function showStatus(isOnline) {
  isInRoom = isOnline;
  at("status").textContent = isOnline ? "in the room" : "offline";
  at("status").className = isOnline ? "online" : "";
}

export function showProblem(error) {
  at("problem").textContent = error?.msg ?? "";
}

/** What happens to each event, by its name, which is the same in both protocols. */
export const events = {
  message_posted: ({ author, via, text }) => line(`${author}: ${text}`, `over ${via}`, "message"),
  job_done: ({ result }) => line(`For you: ${result}`, "from a worker", "job"),
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
      if (answer && !answer.error) at("present").textContent = answer.join(", ");
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
