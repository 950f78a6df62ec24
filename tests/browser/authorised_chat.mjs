// Two people use the example of authorised rooms in a real browser.
//
//   node authorised_chat.mjs URL OPTIONS(json: executable, flags, profile, screenshots)
import { chromium } from "playwright-core";
import { run } from "../support/program.mjs";

const [url, options] = process.argv.slice(2);
const { executable, flags, profile, screenshots } = JSON.parse(options);
const browser = await chromium.launchPersistentContext(profile, { executablePath: executable, args: flags });
browser.setDefaultTimeout(8000);
const faults = [];

async function visitor(token) {
  const page = await browser.newPage();
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(`${url}/?token=${token}`);
  return page;
}
const shows = (page, selector, text) => page.locator(selector, { hasText: text }).first().waitFor();
const says = async (page, text) => {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
};

await run(
  async () => {
    const stranger = await visitor("guess");
    await shows(stranger, "#problem", "Sign in first.");
    const ada = await visitor("ada-token");
    await ada.click("[data-chat='1']");
    await shows(ada, "#title", "Everybody");
    const ben = await visitor("ben-token");
    await ben.click("[data-chat='2']");
    await shows(ben, "#problem", "You may not join this room.");
    await ben.click("[data-chat='1']");
    await shows(ada, "#present", /^Ada, Ben$/);
    await says(ben, "<b>hello</b>");
    await shows(ada, "#messages li", "Ben: <b>hello</b>");
    if (screenshots) await ada.screenshot({ path: `${screenshots}/authorised-chat.png` });
    await ada.click("#remove");
    await shows(ben, "#problem", "You may not be in this room any more.");
    await shows(ben, "#title", "Not in a chat");
    await shows(ada, "#present", /^Ada$/);
    await says(ada, "only for me");
    await shows(ada, "#messages li", "only for me");
    if (faults.length > 0) throw new Error(`on the page: ${faults.join("; ")}`);
    return { ben: await ben.locator("#messages li").allInnerTexts() };
  },
  () => browser.close(),
);
