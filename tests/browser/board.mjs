// People use the board in a real browser, each in a tab of their own.
//
//   node board.mjs SCENARIO URL OPTIONS(json: executable, flags, profile, screenshots)
import { chromium } from "playwright-core";
import { run, say, told } from "../support/program.mjs";

const [scenario, url, options] = process.argv.slice(2);
const { executable, flags, profile, screenshots } = JSON.parse(options);
const size = { width: 1200, height: 760 };
const browser = await chromium.launchPersistentContext(profile, { executablePath: executable, args: flags, viewport: size });
browser.setDefaultTimeout(60000);
const faults = [];
const [TO_DO, DOING, DONE] = [1, 2, 3];

/** A new tab in which a user has signed in, and sees the board. Cards do not glide, so they are where they seem to be. */
async function visitor(name, reducedMotion = "reduce") {
  const page = await browser.newPage();
  await page.emulateMedia({ reducedMotion });
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(url);
  await signIn(page, name, "kanban");
  await page.locator(".status.online").waitFor();
  await page.locator("[data-card]").first().waitFor();
  return page;
}
async function signIn(page, name, password) {
  await page.fill("#name", name);
  await page.fill("#password", password);
  await page.click(".primary");
}

const column = (page, id) => page.locator(`[data-column="${id}"]`);
const card = (page, title, columnId) => (columnId ? column(page, columnId) : page).locator("[data-card]", { hasText: title });
const titles = (page, id) => column(page, id).locator("[data-card] .title").allInnerTexts();
const shows = (page, selector, text) => page.locator(selector, { hasText: text }).first().waitFor();

/** Wait until a column has these cards, in this order. */
const has = (page, id, wanted) =>
  page.waitForFunction(
    ([columnId, all]) => {
      const shown = [...document.querySelectorAll(`[data-column="${columnId}"] [data-card] .title`)].map((node) => node.textContent);
      return JSON.stringify(shown) === JSON.stringify(all);
    },
    [id, wanted],
    { polling: 50 },
  );

const middle = async (locator) => {
  const { x, y, width, height } = await locator.boundingBox();
  return [x + width / 2, y + height / 2];
};

/** Take a card with the mouse to a column's head, where it comes before all others; the mouse stays down. */
async function lift(page, title, columnId) {
  await page.bringToFront();
  await page.mouse.move(...(await middle(card(page, title).locator(".title"))));
  await page.mouse.down();
  await page.mouse.move(...(await middle(column(page, columnId).locator("h2"))), { steps: 5 });
  await column(page, columnId).locator("[data-card]").first().and(page.locator(".mine")).waitFor();
}

async function drag(page, title, columnId) {
  await lift(page, title, columnId);
  await page.mouse.up();
  await page.locator(".mine").waitFor({ state: "detached" });
}

async function network(page) {
  const session = await page.context().newCDPSession(page);
  return (offline) =>
    session.send("Network.emulateNetworkConditions", { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
}

/** Look at a page on a wide and a narrow screen, in the light and in the dark; return what leaves the screen. */
async function pictures(page, title) {
  const outside = new Set();
  for (const width of [size.width, 390]) {
    await page.setViewportSize({ width, height: size.height });
    const found = await page.evaluate(() => {
      for (const animation of document.getAnimations()) animation.finish(); // a card that glides since before the resizing
      return [...document.querySelectorAll("#root *:not(.unseen, .floating, .floating *)")]
        .filter((node) => node.getBoundingClientRect().right > innerWidth + 1 || node.getBoundingClientRect().left < -1)
        .map((node) => `${node.tagName} ${node.className} at ${innerWidth}`);
    });
    for (const one of found) outside.add(one);
    for (const colorScheme of screenshots ? ["light", "dark"] : []) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${screenshots}/board-${title}-${width}-${colorScheme}.png`, animations: "disabled" });
    }
  }
  await page.setViewportSize(size);
  return [...outside];
}

const scenarios = {
  /** A card is dragged: others see it on its way, and where it was put down. */
  async dragging() {
    const ada = await visitor("Ada");
    const ben = await visitor("Ben", "no-preference");
    await ben.evaluate(() => {
      window.glides = 0;
      const { animate } = Element.prototype;
      Element.prototype.animate = function (...args) {
        window.glides += 1;
        return animate.apply(this, args);
      };
    });
    const before = await titles(ada, TO_DO);
    const [title] = before;
    await lift(ada, title, DONE);
    await card(ben, title, DONE).and(ben.locator(".held")).waitFor();
    await has(ben, DONE, await titles(ada, DONE)); // on its way it was at other places of the column
    const held = {
      by: await ben.locator(".held .holder").innerText(),
      locked: await ben.getByLabel(`Move ${title}`, { exact: true }).isDisabled(),
      first: (await titles(ben, DONE))[0],
    };
    const outside = [...(await pictures(ben, "seen")), ...(await pictures(ada, "dragging"))];
    await ada.mouse.move(...(await middle(column(ada, DONE).locator("h2"))), { steps: 2 });
    await ada.mouse.up();
    await ben.locator(".held").waitFor({ state: "detached" });
    const done = await titles(ada, DONE);
    await has(ben, DONE, done);
    await has(ben, TO_DO, before.slice(1));
    await lift(ada, title, TO_DO);
    await card(ben, title, TO_DO).and(ben.locator(".held")).waitFor();
    await ada.keyboard.press("Escape");
    await ben.locator(".held").waitFor({ state: "detached" });
    await has(ada, DONE, done);
    await has(ben, DONE, done);
    await ada.mouse.up();
    return { title, held, first: done[0], outside, glides: await ben.evaluate(() => window.glides > 0) };
  },

  /** What the server refuses goes back to where it was, with the reason. */
  async refusal() {
    const ada = await visitor("Ada");
    const ben = await visitor("Ben");
    const before = await titles(ada, TO_DO);
    await drag(ben, before[0], DOING);
    await card(ada, before[0], DOING).and(ada.locator(":not(.held)")).waitFor();
    await drag(ada, before[1], DOING);
    await shows(ada, ".problem", "takes at most");
    await has(ada, TO_DO, before.slice(1));
    await ben.locator(".held").waitFor({ state: "detached" });
    await has(ben, TO_DO, before.slice(1));
    const problem = await ada.innerText(".problem span");
    const outside = await pictures(ada, "refused");
    await ada.click(".problem button");
    await ada.locator(".problem").waitFor({ state: "detached" });
    return { problem, outside };
  },

  /** Cards are added, renamed and removed; a reader sees it and has no buttons. */
  async editing() {
    const ada = await visitor("Ada");
    const dora = await visitor("Dora");
    await ada.fill("[aria-label='New card in Done']", "<b>new</b>");
    await ada.keyboard.press("Enter");
    await card(dora, "<b>new</b>", DONE).waitFor();
    await ada.getByLabel("Rename <b>new</b>").click();
    await ada.getByLabel("Title", { exact: true }).fill("never mind");
    await ada.keyboard.press("Escape");
    await ada.getByLabel("Rename <b>new</b>").click();
    await ada.getByLabel("Title", { exact: true }).fill("newer");
    await ada.keyboard.press("Enter");
    await card(dora, "newer", DONE).waitFor();
    await ada.getByLabel("Remove newer").click();
    await card(dora, "newer").waitFor({ state: "detached" });
    const outside = await pictures(dora, "reader");
    return { buttons: await dora.locator(".columns button, .columns input").count(), note: await dora.innerText(".reading"), outside };
  },

  /** Who is at the board: each user once, with however many windows. */
  async presence() {
    const names = (page) => page.locator(".present .unseen").allInnerTexts();
    const isThere = (page, all) =>
      page.waitForFunction(
        (wanted) => JSON.stringify([...document.querySelectorAll(".present .unseen")].map((node) => node.textContent)) === JSON.stringify(wanted),
        all,
        { polling: 50 },
      );
    const ada = await visitor("Ada");
    await isThere(ada, ["Ada (you)"]);
    const ben = await visitor("Ben");
    const again = await visitor("Ben");
    await isThere(ada, ["Ada (you)", "Ben"]);
    await isThere(again, ["Ben (you)", "Ada"]);
    await again.goto("about:blank");
    const cleo = await visitor("Cleo");
    await isThere(ada, ["Ada (you)", "Ben", "Cleo"]);
    await ben.click("text=Sign out");
    await isThere(ada, ["Ada (you)", "Cleo"]);
    await isThere(cleo, ["Cleo (you)", "Ada"]);
    return { welcome: await ben.isVisible("#password"), there: await names(ada) };
  },

  /** The network goes: changes wait, and arrive when it is back, with those of others. */
  async offline() {
    const ada = await visitor("Ada");
    const ben = await visitor("Ben");
    const [first, second, third, fourth] = await titles(ada, TO_DO);
    const isOffline = await network(ben);
    await isOffline(true);
    await shows(ben, ".banner", "Offline: your changes wait");
    await drag(ben, first, DONE);
    await drag(ben, second, DONE);
    await shows(ben, ".banner", "Offline: 2 changes of yours wait.");
    const waiting = await ben.locator(".waiting .title").allInnerTexts();
    const outside = await pictures(ben, "offline");
    await drag(ada, second, DOING); // Ben moves it too, and will be told that he is late
    await drag(ada, third, TO_DO);
    await drag(ada, fourth, DONE);
    await ada.locator(".waiting").waitFor({ state: "detached" });
    await ben.evaluate(() => {
      const banner = document.querySelector(".banner");
      const keep = () => banner.textContent.startsWith("Back") && (window.banner = banner.textContent);
      new MutationObserver(keep).observe(banner, { childList: true, characterData: true, subtree: true });
    });
    await isOffline(false);
    const banner = await (await ben.waitForFunction(() => window.banner, null, { polling: 50 })).jsonValue();
    outside.push(...(await pictures(ben, "back")));
    await shows(ben, ".problem", "Somebody else has moved this card meanwhile.");
    await card(ada, first, DONE).waitFor();
    const result = { banner, waiting, outside };
    for (const id of [TO_DO, DOING, DONE]) await has(ben, id, await titles(ada, id));
    await ben.locator(".waiting").waitFor({ state: "detached" });
    await ben.locator(".banner").waitFor({ state: "hidden" });
    return { ...result, ben: [await titles(ben, DOING), await titles(ben, TO_DO)], wanted: [first, second, third, fourth] };
  },

  /** A card is moved with the keyboard alone; a screen reader is told where it is, and the focus stays on it. */
  async keyboard() {
    const ada = await visitor("Ada");
    const ben = await visitor("Ben");
    const [title, second] = await titles(ada, TO_DO);
    const said = [];
    const press = async (key, text) => {
      await ada.keyboard.press(key);
      await shows(ada, "[aria-live=assertive]", text);
      said.push(await ada.innerText("[aria-live=assertive]"));
    };
    await ada.getByLabel(`Move ${title}`, { exact: true }).focus();
    await press("Space", "Picked up");
    await press("ArrowDown", "To do, place 2 of 4");
    await has(ben, TO_DO, [second, title, ...(await titles(ada, TO_DO)).slice(2)]);
    await press("Escape", "back");
    await ben.locator(".held").waitFor({ state: "detached" });
    await has(ben, TO_DO, await titles(ada, TO_DO));
    await press("Enter", "Picked up");
    await press("ArrowRight", "Doing, place 1 of 3");
    await press("ArrowRight", "Done, place 1 of 4");
    await press("ArrowDown", "Done, place 2 of 4");
    await card(ben, title, DONE).and(ben.locator(".held")).waitFor();
    await press("Space", "Put down");
    await ben.locator(".held").waitFor({ state: "detached" });
    await has(ben, DONE, await titles(ada, DONE));
    return { said, title, focus: await ada.evaluate(() => document.activeElement.getAttribute("aria-label")), done: (await titles(ben, DONE))[1] };
  },

  /** A card is moved with a finger, on a narrow screen, to a column further down than the screen. */
  async phone() {
    const ada = await visitor("Ada");
    const ben = await visitor("Ben");
    const [title] = await titles(ada, TO_DO);
    await ada.bringToFront();
    await ada.setViewportSize({ width: 390, height: 600 });
    const touch = await ada.context().newCDPSession(ada);
    const point = (type, x, y) => touch.send("Input.dispatchTouchEvent", { type, touchPoints: type === "touchEnd" ? [] : [{ x, y }] });
    const [x, y] = await middle(ada.getByLabel(`Move ${title}`, { exact: true }));
    await point("touchStart", x, y);
    for (const down of [10, 30, 200, 590 - y]) await point("touchMove", x, y + down);
    await card(ada, title, DONE).and(ada.locator(".mine")).waitFor(); // scrolls by itself
    await card(ben, title, DONE).and(ben.locator(".held")).waitFor();
    await ada.waitForFunction(() => {
      const area = document.querySelector(".columns");
      return area.scrollTop + area.clientHeight >= area.scrollHeight - 1;
    });
    await point("touchEnd");
    await ben.locator(".held").waitFor({ state: "detached" });
    await has(ben, DONE, await titles(ada, DONE));
    return { done: (await titles(ben, DONE)).includes(title), title };
  },

  /** Long names of people, boards, columns and cards. */
  async names() {
    const ada = await visitor("Ada");
    const other = await visitor("Maximilian Alexander of Hohenstein");
    await lift(other, "Ask three customers", DONE);
    await card(ada, "Ask three customers", DONE).and(ada.locator(".held")).waitFor();
    const outside = await pictures(ada, "names");
    const cut = await ada.evaluate(() =>
      [...document.querySelectorAll(".cut")].filter((node) => node.scrollWidth > node.clientWidth).map((node) => getComputedStyle(node).textOverflow),
    );
    await other.mouse.up();
    return { outside, cut: [...new Set(cut)] };
  },

  /** A wrong password is explained; a server that does not know the token any more has the user sign in again. */
  async signingIn() {
    const page = await browser.newPage();
    await page.goto(url);
    await signIn(page, "Ada", "guess");
    await shows(page, ".error", "Wrong name or password.");
    const outside = await pictures(page, "sign-in");
    await signIn(page, "Ada", "kanban");
    await page.locator(".status.online").waitFor();
    await page.reload();
    await page.locator(".status.online").waitFor();
    await page.selectOption("[aria-label=Board]", { label: "The garden" });
    await card(page, "Sow tomatoes").waitFor();
    say("open");
    await told();
    await shows(page, ".error", "Sign in first.");
    await signIn(page, "Ada", "kanban");
    await page.locator(".status.online").waitFor();
    return { outside };
  },
};

await run(
  async () => {
    const result = await scenarios[scenario]();
    if (faults.length > 0) throw new Error(`on the page: ${faults.join("; ")}`);
    return result;
  },
  () => browser.close(),
);
