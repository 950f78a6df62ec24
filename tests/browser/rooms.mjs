// Plays two people in the examples of consumers, a tab for each, in a real browser.
//
//   node rooms.mjs URL OPTIONS(json: executable, flags, profile, screenshots, picture)
import { chromium } from "playwright-core";
import { run } from "../support/program.mjs";

const [url, options] = process.argv.slice(2);
const { executable, flags, profile, screenshots, picture } = JSON.parse(options);
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: executable,
  args: flags,
  viewport: { width: 900, height: 560 },
});
browser.setDefaultTimeout(60000);
const faults = [];

/** A new tab whose visitor has joined a room. */
async function visitor(room) {
  const page = await browser.newPage();
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(url);
  await join(page, room);
  return page;
}

async function join(page, room) {
  await page.fill("#room", room);
  await page.click("#join button");
  await shows(page, "#state.online", `in ${room}`);
}

async function says(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

async function shows(page, selector, text) {
  await page.locator(selector, { hasText: text }).first().waitFor();
}

async function talk() {
  const ada = await visitor("general");
  const ben = await visitor("general");
  await shows(ada, "#messages li:last-child", "joined");
  await says(ada, "Hello, is anybody here?");
  await shows(ben, "#messages", "anybody here");
  await says(ben, "<b>Yes</b> & welcome");
  await shows(ada, "#messages", "Yes");
  const eve = await visitor("a room of her own");
  await says(eve, "only me");
  await shows(eve, "#messages", "only me");
  const wide = await pictures(ada);
  await ben.close();
  await shows(ada, "#messages", "left room");
  const result = { ada: await lines(ada), eve: await lines(eve), wide };
  await join(ada, "a room of her own");
  await shows(eve, "#messages li:last-child", "joined");
  return { ...result, moved: await lines(eve) };
}

/** Look at the page on a wide and a narrow screen; return how often it was wider than the screen. */
async function pictures(page) {
  let wide = 0;
  const size = page.viewportSize();
  for (const width of [1200, 390]) {
    await page.setViewportSize({ width, height: 760 });
    wide += await page.evaluate(() => Number(document.documentElement.scrollWidth > innerWidth));
    for (const colorScheme of screenshots ? ["light", "dark"] : []) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${screenshots}/${picture}-${width}-${colorScheme}.png` });
    }
  }
  await page.setViewportSize(size);
  return wide;
}

async function lines(page) {
  return page.locator("#messages li").allInnerTexts();
}

await run(
  async () => {
    const result = await talk();
    if (faults.length > 0) throw new Error(`on the page: ${faults.join("; ")}`);
    return result;
  },
  () => browser.close(),
);
