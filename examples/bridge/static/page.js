// What both pages show; how they are connected is no matter here.
const at = (id) => document.getElementById(id);

export const name = new URLSearchParams(location.search).get("name") ?? "";
export const CHAT = "lobby";

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
  present(users) {
    at("present").textContent = users.join(", ");
  },
};

export function onSay(say) {
  document.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = at("text").value.trim();
    if (text) say(text);
    at("text").value = "";
  });
}
