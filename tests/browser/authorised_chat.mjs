// Two people use the example of authorised rooms in a real browser.
//
//   node authorised_chat.mjs URL OPTIONS(json: executable, flags, profile, screenshots)
import { chromium } from "playwright-core";
import { run } from "../support/program.mjs";

const [url, options] = process.argv.slice(2);
const { executable, flags, profile, screenshots } = JSON.parse(options);
const browser = await chromium.launchPersistentContext(profile, { executablePath: executable, args: flags });
browser.setDefaultTimeout(60000);
const faults = [];

async function visitor(token) {
  const page = await browser.newPage();
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(token === null ? url : `${url}/?token=${token}`);
  return page;
}
const shows = (page, selector, text) => page.locator(selector, { hasText: text }).first().waitFor();
const says = async (page, text) => {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
};

/** Wait until a page shows exactly these people. */
const isThere = (page, names) =>
  page.waitForFunction((all) => {
    const shown = [...document.querySelectorAll("#present .cut")].map((node) => node.textContent);
    return JSON.stringify(shown) === JSON.stringify(all);
  }, names);

let wide = 0;
/** Look at a page on a wide and a narrow screen, in the light and in the dark; count where it is wider than the screen. */
async function pictures(page, title) {
  const size = page.viewportSize();
  for (const width of [1200, 390]) {
    await page.setViewportSize({ width, height: 760 });
    wide += await page.evaluate(() => Number(document.documentElement.scrollWidth > innerWidth));
    for (const colorScheme of screenshots ? ["light", "dark"] : []) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${screenshots}/authorised-${title}-${width}-${colorScheme}.png` });
    }
  }
  await page.setViewportSize(size);
}

await run(
  async () => {
    const stranger = await visitor("guess");
    await shows(stranger, "#refusal", "Sign in first.");
    const ada = await visitor(null);
    await pictures(ada, "sign-in");
    await ada.click("text=Sign in as Ada");
    await ada.click("[data-chat='1']");
    await shows(ada, "#title", "Everybody");
    const ben = await visitor("ben-token");
    await ben.click("[data-chat='2']");
    await shows(ben, "#problem", "You may not join this room.");
    await ben.click("[data-chat='1']");
    await isThere(ada, ["Ada", "Ben"]);
    await isThere(ben, ["Ada", "Ben"]);
    await says(ben, "<b>hello</b>");
    await shows(ada, "#messages .text", "<b>hello</b>");
    const heard = await ada.locator("#messages li").allInnerTexts();
    await says(ada, "A chat that only its readers read, and its owner decides who they are.");
    await pictures(ada, "owner");
    const mayRemove = await ben.locator("#present button").count();
    await ada.click("[aria-label='Remove Ben']");
    await shows(ben, "#problem", "You may not be in this room any more.");
    await shows(ben, "#title", "Not in a chat");
    await isThere(ada, ["Ada"]);
    await says(ada, "only for me");
    await shows(ada, "#messages li", "only for me");
    if (faults.length > 0) throw new Error(`on the page: ${faults.join("; ")}`);
    await pictures(ben, "removed");
    return { heard, mayRemove, removed: await ben.locator("#messages li").allInnerTexts(), wide };
  },
  () => browser.close(),
);
