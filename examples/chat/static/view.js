// What the page shows. Knows elements, not sockets.

export const MAX_LENGTH = 500;

const $ = (id) => document.getElementById(id);

function element(tag, className, ...children) {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...children);
  return node;
}

function hue(name) {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 360;
  return sum;
}

function avatar(name) {
  const node = element("span", "avatar", [...name][0].toUpperCase());
  node.style.setProperty("--hue", hue(name));
  node.setAttribute("aria-hidden", "true");
  return node;
}

function append(item) {
  const list = $("messages");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  list.append(item);
  if (atEnd || item.classList.contains("own")) list.scrollTop = list.scrollHeight;
}

export function showWelcome(error) {
  $("chat").hidden = true;
  $("welcome").hidden = false;
  $("sign-in-error").hidden = !error;
  $("sign-in-error").textContent = error ?? "";
}

export function showRoom(room, ownId) {
  $("welcome").hidden = true;
  $("chat").hidden = false;
  $("room-title").textContent = room.name;
  document.title = `#${room.name} - fastsio chat`;
  showMembers(room.members, ownId);
  $("text").focus();
}

export function clearMessages() {
  $("messages").replaceChildren();
}

export function showMembers(members, ownId) {
  $("count").textContent = members.length;
  $("members").replaceChildren(
    ...members.map(({ id, name }) => {
      const you = id === ownId ? [element("span", "you", "you")] : [];
      return element("li", "", avatar(name), element("span", "cut", name), ...you);
    }),
  );
}

export function showRooms(rooms, current, choose) {
  const shown = rooms.some(({ name }) => name === current) ? rooms : [{ name: current, members: [] }, ...rooms];
  $("rooms").replaceChildren(
    ...shown.map(({ name, members }) => {
      const button = element("button", "", element("span", "cut", `# ${name}`), element("span", "count", members.length));
      button.type = "button";
      if (name === current) button.setAttribute("aria-current", "true");
      else button.addEventListener("click", () => choose(name));
      return element("li", "", button);
    }),
  );
}

export function showSuggestions(rooms, choose) {
  $("suggestions").replaceChildren(
    ...rooms.map(({ name, members }) => {
      const chip = element("button", "chip cut", `#${name} (${members.length})`);
      chip.type = "button";
      chip.addEventListener("click", () => choose(name));
      return chip;
    }),
  );
}

export function showMessage({ user, text, sent_at: sentAt }, own) {
  const time = element("time", "", new Date(sentAt).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  const head = element("div", "head", element("span", "author cut", own ? "You" : user.name), time);
  append(element("li", own ? "message own" : "message", avatar(user.name), element("div", "", head, element("div", "text", text))));
}

export function showNotice(text) {
  append(element("li", "notice", text));
}

export function showTyping(names) {
  const who = names.length > 2 ? "Several people are" : names.length === 2 ? `${names[0]} and ${names[1]} are` : `${names[0]} is`;
  const dots = element("span", "dots", document.createElement("i"), document.createElement("i"), document.createElement("i"));
  $("typing").replaceChildren(...(names.length ? [dots, `${who} typing`] : []));
}

export function showError(text, { limited = false } = {}) {
  $("error").hidden = !text;
  $("error").textContent = text ?? "";
  $("error").classList.toggle("limited", limited);
}

export function showLength(length) {
  $("length").textContent = length > MAX_LENGTH - 100 ? `${length} / ${MAX_LENGTH}` : "";
  $("length").classList.toggle("over", length > MAX_LENGTH);
}

export function showConnection(online) {
  $("status").textContent = online ? "online" : "offline";
  $("status").classList.toggle("online", online);
  $("send").disabled = !online;
}

export function showBanner(text, { back = false } = {}) {
  $("banner").hidden = !text;
  $("banner").textContent = text ?? "";
  $("banner").classList.toggle("back", back);
}
