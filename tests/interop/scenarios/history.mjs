// How a page that was reloaded gets what it has missed in a room.

/** What a page keeps: the events, and room -> the offset of the newest. */
function reading(socket, seen) {
  const news = [];
  socket.on("news", (value, { offsets }) => {
    news.push(value);
    Object.assign(seen, offsets);
  });
  socket.on("joined", ({ room, offset }) => {
    seen[room] = offset;
  });
  return news;
}

/** Waits until a page has got a number of events. */
async function got(harness, socket, news, count) {
  while (news.length < count) await harness.happens(socket, "news");
}

/** A page is closed, and another one goes on where it was. */
export async function goes_on(harness) {
  const { connected, settled, say, told } = harness;
  const seen = {};
  const join = async (socket) => {
    const news = reading(socket, seen);
    const { complete, ...answer } = await socket.emitWithAck("join_feed", { id: 5, since: seen["feed|5"] ?? null });
    return { news, complete, offset: answer.offset };
  };
  const page = await connected("/");
  await settled(page);
  const first = await join(page);
  say("joined");
  await got(harness, page, first.news, 2);
  page.disconnect();
  say("closed");
  await told();

  const again = await connected("/");
  await settled(again);
  const second = await join(again);
  const before = second.news.length;
  say("joined");
  await got(harness, again, second.news, 3);
  return {
    pages: [first, second].map(({ news, complete }) => ({ news, complete })),
    before,
    stands: [second.offset, seen["feed|5"]].map((offset) => Number(offset.split("-").at(-1))),
  };
}

/** A client that joins a room of which the newest value is kept. */
export async function newest({ connected, settled }) {
  const socket = await connected("/");
  await settled(socket);
  const heard = [];
  socket.on("price", (value) => heard.push(["price", value]));
  socket.on("joined", ({ room }) => heard.push(["joined", room]));
  await socket.emitWithAck("join_price", { id: 5 });
  return heard;
}
