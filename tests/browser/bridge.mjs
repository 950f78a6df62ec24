// Two people in one room, one over Socket.IO and one over plain WebSocket, at two servers.
//
//   node bridge.mjs URL OTHER_URL OPTIONS(json: executable, flags, profile, screenshots)
//
// Says "ready" once both have heard each other, and goes on when it is told that the worker has run.
import { chromium } from "playwright-core";
import { run, say, told } from "../support/program.mjs";

const [url, other, options] = process.argv.slice(2);
const { executable, flags, profile, screenshots } = JSON.parse(options);
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: executable,
  args: flags,
  viewport: { width: 1000, height: 560 },
});
browser.setDefaultTimeout(60000);
const faults = [];

const shows = (frame, selector, text) => frame.locator(selector, { hasText: text }).first().waitFor();
const says = async (frame, text) => {
  await frame.fill("#text", text);
  await frame.press("#text", "Enter");
};
const messages = (frame) => frame.locator("#messages li").allInnerTexts();

await run(
  async () => {
    const page = await browser.newPage();
    page.on("pageerror", (error) => faults.push(String(error)));
    await page.goto(`${url}/?other=${other}`);
    await page.locator("iframe[name=websocket]").waitFor();
    const ann = page.frame("socketio");
    const ben = page.frame("websocket");
    await shows(ann, "#status.online", "in the room");
    await shows(ben, "#status.online", "in the room");
    for (const frame of [ann, ben]) await shows(frame, "#present", /^Ann\s*Ben$/);
    await says(ann, "<b>hello</b> from Socket.IO");
    await shows(ben, "#messages li", "from Socket.IO");
    await says(ben, "hello from a plain WebSocket");
    await shows(ann, "#messages li", "from a plain WebSocket");
    say("ready");
    await told();
    await shows(ben, "#messages li.job", "the report is ready");
    await says(ann, "the end");
    for (const frame of [ann, ben]) await shows(frame, "#messages li", "the end");
    let wide = 0;
    for (const width of [1200, 390]) {
      await page.setViewportSize({ width, height: 760 });
      for (const frame of [page, ann, ben]) {
        wide += await frame.evaluate(() => Number(document.documentElement.scrollWidth > innerWidth));
      }
      for (const colorScheme of screenshots ? ["light", "dark"] : []) {
        await page.emulateMedia({ colorScheme });
        await page.screenshot({ path: `${screenshots}/bridge-${width}-${colorScheme}.png` });
      }
    }
    const result = { ann: await messages(ann), ben: await messages(ben), at: await ben.innerText("#server"), wide };
    await page.locator("iframe[name=websocket]").evaluate((frame) => frame.remove());
    await shows(ann, "#present", /^Ann$/);
    if (faults.length > 0) throw new Error(`on the page: ${faults.join("; ")}`);
    return result;
  },
  () => browser.close(),
);
