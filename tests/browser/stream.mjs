// A reader of the example of a stream, in a real browser.
//
//   node stream.mjs URL OPTIONS(json: executable, flags, profile, screenshots)
import { chromium } from "playwright-core";
import { run } from "../support/program.mjs";

const [url, options] = process.argv.slice(2);
const { executable, flags, profile, screenshots } = JSON.parse(options);
const browser = await chromium.launchPersistentContext(profile, { executablePath: executable, args: flags });
browser.setDefaultTimeout(60000);
const faults = [];

async function open(path, size) {
  const page = await browser.newPage();
  page.on("pageerror", (error) => faults.push(String(error)));
  if (size) await page.setViewportSize(size);
  await page.goto(`${url}${path}`);
  return page;
}
const wordsOf = (page) => page.locator(".text").first().evaluate(({ textContent }) => textContent.split(/\s+/).length);
async function hasRead(page, count) {
  await page.waitForFunction((most) => document.querySelector(".text")?.textContent.split(/\s+/).length >= most, count);
}
const ended = (page) => page.locator(".text:not(.unfinished)").first().waitFor();
async function picture(page, name, scheme) {
  if (!screenshots) return;
  await page.emulateMedia({ colorScheme: scheme });
  await page.screenshot({ path: `${screenshots}/${name}.png` });
}

await run(
  async () => {
    const page = await open("/");
    await page.locator(".status.online").waitFor();
    await page.fill("#text", "Will it go on?");
    await page.press("#text", "Enter");
    await hasRead(page, 15);
    await page.reload();
    const kept = await wordsOf(page);
    await hasRead(page, 40);
    await picture(page, "stream-light", "light");
    await page.reload();
    const friend = await open(await page.locator(".link").getAttribute("href").then((href) => `/${href}`), {
      width: 390,
      height: 780,
    });
    await hasRead(friend, 45);
    await picture(friend, "stream-narrow-dark", "dark");
    await ended(page);
    await ended(friend);
    await picture(page, "stream-dark", "dark");
    const wide = await friend.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    const read = async (reader) => [
      await reader.locator(".question").allTextContents(),
      await reader.locator(".text").allTextContents(),
      await reader.locator(".note").isVisible(),
    ];
    if (faults.length > 0) throw new Error(`on the page: ${faults.join("; ")}`);
    return { kept: kept >= 15, wide, page: await read(page), friend: await read(friend) };
  },
  () => browser.close(),
);
