// Two pages side by side: one is connected over Socket.IO, one over a plain WebSocket, to another server if ?other= names one.
const here = new URL(".", location.href);
const other = new URL(new URLSearchParams(location.search).get("other") ?? here);
const pages = [
  [here, "socketio", "Ann"],
  [other, "websocket", "Ben"],
];
for (const [base, page, name] of pages) {
  const frame = document.createElement("iframe");
  frame.title = page;
  frame.name = page;
  frame.src = new URL(`static/${page}.html?name=${name}`, base);
  document.querySelector("main").append(frame);
}
if (other.origin !== here.origin) document.getElementById("where").textContent = " to different servers";
