// What people do with the chat example.

/** Two people talk; each sees who is there. */
export async function talk({ visitor, says, shows, texts, picture }) {
  const ada = await visitor("Ada", "talk");
  const ben = await visitor("Ben", "talk");
  await shows(ada, ".notice", "Ben joined");
  await says(ada, "Hello Ben, how is the weather?");
  await shows(ben, ".message .text", "Hello Ben");
  await says(ben, "<b>Sunny</b> & warm");
  await shows(ada, ".message .text", "Sunny");
  await says(ben, "And where you are?");
  await shows(ada, ".message .text", "And where");
  await says(ada, "Raining since Tuesday.\nBut I have tea.");
  await shows(ben, ".message .text", "tea");
  await picture(ada, "talk");
  return {
    members: [await texts(ada, "#members li"), await texts(ben, "#members li")],
    ada: await texts(ada, ".message .text"),
    ben: await texts(ben, ".message .text"),
    own: await texts(ada, ".message.own .text"),
  };
}

/** Rooms do not hear each other; one browser is in several rooms with several tabs. */
export async function isolation({ visitor, says, shows, texts }) {
  const tea = await visitor("Ada", "tea");
  const coffee = await visitor("Ada", "coffee");
  const friend = await visitor("Ben", "tea");
  await says(coffee, "only for coffee");
  await shows(coffee, ".message .text", "only for coffee");
  await says(friend, "only for tea");
  await shows(tea, ".message .text", "only for tea");
  await shows(tea, "#rooms button", "coffee");
  return {
    tea: await texts(tea, ".message .text"),
    coffee: await texts(coffee, ".message .text"),
    members: await texts(coffee, "#members li"),
  };
}

/** Moving to another room by the list of rooms. */
export async function moving({ visitor, shows, texts }) {
  const ada = await visitor("Ada", "upstairs");
  const ben = await visitor("Ben", "downstairs");
  await shows(ben, "#rooms button", "upstairs");
  await ben.click("#rooms button:has-text('upstairs')");
  await shows(ada, ".notice", "Ben joined");
  await shows(ben, "#room-title", "upstairs");
  await ben.locator("#rooms button", { hasText: "downstairs" }).waitFor({ state: "detached" });
  return { members: await texts(ben, "#members li"), rooms: await ben.evaluate(async () => (await fetch("/api/rooms")).json()) };
}

/** A notice while somebody types, which goes when the message comes. */
export async function typing({ visitor, says, shows, picture }) {
  const ada = await visitor("Ada", "typing");
  const ben = await visitor("Ben", "typing");
  await ben.type("#text", "thinking");
  await shows(ada, "#typing", "Ben is typing");
  await picture(ada, "typing");
  await says(ben, "done");
  await shows(ada, ".message .text", "done");
  await ada.locator("#typing:empty").waitFor({ state: "attached" });
  return ben.locator("#typing").innerText();
}

/** The server refuses an empty and a too long message; the page says why and keeps the text. */
export async function validation({ visitor, says, shows, texts, picture }) {
  const ada = await visitor("Ada", "validation");
  await says(ada, "   ");
  await shows(ada, "#error", "Write something");
  const empty = await ada.innerText("#error");
  await says(ada, "x".repeat(501));
  await shows(ada, "#error", "too long");
  await picture(ada, "validation");
  const long = await ada.innerText("#error");
  const kept = (await ada.inputValue("#text")).length;
  await says(ada, "just right");
  await shows(ada, ".message .text", "just right");
  return { empty, long, kept, messages: await texts(ada, ".message .text"), error: await ada.isVisible("#error") };
}

/** Too many messages at once are refused with the time to wait; the others arrive. */
export async function rateLimit({ visitor, says, shows, texts, picture }) {
  const ada = await visitor("Ada", "limit");
  const ben = await visitor("Ben", "limit");
  for (let turn = 1; turn <= 5; turn++) {
    await says(ada, `message ${turn}`);
    await shows(ada, ".message .text", `message ${turn}`);
  }
  await says(ada, "one too many");
  await shows(ada, "#error.limited", "Slow down");
  const refused = { error: await ada.innerText("#error"), disabled: await ada.isDisabled("#send") };
  await picture(ada, "limit");
  await says(ben, "I may still talk");
  await shows(ada, ".message .text", "I may still talk");
  return { ...refused, heard: await texts(ben, ".message .text") };
}

/** Those who stay are told that somebody left, by the button or by closing the tab. */
export async function leaving({ visitor, shows, texts }) {
  const ada = await visitor("Ada", "leaving");
  const ben = await visitor("Ben", "leaving");
  const cid = await visitor("Cid", "leaving");
  await ben.click("#leave");
  await shows(ada, ".notice", "Ben left");
  await cid.close();
  await shows(ada, ".notice", "Cid left");
  return { members: await texts(ada, "#members li"), welcome: await ben.isVisible("#sign-in") };
}

/** A name that the server refuses is explained on the welcome page. */
export async function refusal({ tab, signIn, shows, picture }) {
  const page = await tab();
  await signIn(page, "x".repeat(25), "lobby");
  await shows(page, "#sign-in-error", "Choose a name");
  await picture(page, "welcome");
  return { chat: await page.isVisible("#chat") };
}

/** The server goes away and comes back: a banner says so, and the room is joined again. */
export async function reconnect({ visitor, says, shows, texts, picture, say, told }) {
  const ada = await visitor("Ada", "restart");
  const ben = await visitor("Ben", "restart");
  await says(ada, "before");
  await shows(ben, ".message .text", "before");
  say("talking");
  await told();
  await shows(ada, "#banner", /reconnect|reached/);
  await picture(ada, "offline");
  const offline = { banner: await ada.innerText("#banner"), disabled: await ada.isDisabled("#send") };
  say("offline");
  await told();
  await shows(ada, "#banner", "Back online");
  await picture(ada, "online");
  await shows(ada, ".notice", "You are back");
  await shows(ben, ".notice", "You are back");
  await ada.locator("#members li", { hasText: "Ben" }).waitFor();
  await says(ada, "after");
  await shows(ben, ".message .text", "after");
  await ada.locator("#banner").waitFor({ state: "hidden" });
  return { offline, heard: await texts(ben, ".message .text"), members: (await texts(ben, "#members li")).length };
}

/** The network goes, others talk, the network is back: each message is there once, and the page says how many. */
export async function tunnel({ visitor, says, shows, texts, picture }) {
  const ada = await visitor("Ada", "tunnel");
  const ben = await visitor("Ben", "tunnel");
  await says(ada, "before");
  await shows(ben, ".message .text", "before");
  const network = await ben.context().newCDPSession(ben);
  const offline = (is) =>
    network.send("Network.emulateNetworkConditions", { offline: is, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  const results = [];
  for (const count of [2, 0, 1]) {
    await offline(true);
    await shows(ben, "#banner", /reconnect|reached/);
    await shows(ada, ".notice", "Ben left");
    await pictures(ben, picture, `tunnel-offline-${count}`);
    for (let number = 1; number <= count; number++) {
      await says(ada, `while away ${count}.${number}`);
      await shows(ada, ".message.own .text", `while away ${count}.${number}`);
    }
    await offline(false);
    await shows(ben, "#banner.back", "Back online");
    results.push(await ben.innerText("#banner"));
    await pictures(ben, picture, `tunnel-back-${count}`);
    await ada.locator("#members li", { hasText: "Ben" }).waitFor();
  }
  await says(ada, "after");
  await shows(ben, ".message .text", "after");
  await says(ben, "and back");
  await shows(ada, ".message .text", "and back");
  return {
    banners: results,
    ada: await texts(ada, ".message .text"),
    ben: await texts(ben, ".message .text"),
    members: [await texts(ada, "#members li"), await texts(ben, "#members li")],
    notices: await texts(ben, ".notice"),
  };
}

/** Pictures on a wide and a narrow screen, in the light and in the dark. */
async function pictures(page, picture, title) {
  const size = page.viewportSize();
  for (const width of [1200, 390]) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize({ width, height: 760 });
      await page.emulateMedia({ colorScheme });
      await picture(page, `${title}-${width}-${colorScheme}`);
    }
  }
  await page.setViewportSize(size);
  await page.emulateMedia({ colorScheme: null });
}

/** Many people with long names on a narrow screen; one who comes late reads what was said. */
export async function crowd({ visitor, says, shows, texts, picture }) {
  const names = ["Ada", "Maximilian of Hohenstein", "Wwwwwwwwwwwwwwwwwwwwwwww", "Ben", "Cleo"];
  const room = "a room with a very long name";
  const ada = await visitor(names[0], room);
  await says(ada, "said before the others came");
  await says(ada, "x".repeat(400));
  await shows(ada, ".message.own .text", "xxx");
  for (const name of names.slice(1)) await visitor(name, room);
  const late = await visitor("Late", room);
  await ada.locator("#members li", { hasText: "Late" }).waitFor();
  await pictures(ada, picture, "crowd");
  await ada.setViewportSize({ width: 390, height: 760 });
  const seen = await ada.evaluate(() => {
    const inside = (node) => node.getBoundingClientRect().right <= innerWidth && node.getBoundingClientRect().left >= 0;
    const cut = [...document.querySelectorAll("#members .cut")].find((node) => node.scrollWidth > node.clientWidth);
    return {
      wide: document.documentElement.scrollWidth > innerWidth,
      leave: inside(document.getElementById("leave")),
      send: inside(document.getElementById("send")),
      ellipsis: cut && getComputedStyle(cut).textOverflow,
    };
  });
  return { ...seen, late: (await texts(late, ".message .text"))[0] };
}
