// Runs one scenario of the chat example in a real browser.
//
//   node runner.mjs SCENARIO URL OPTIONS(json: executable, flags, profile, screenshots)
import { chromium } from "playwright-core";
import { run, say, told } from "../support/program.mjs";
import * as scenarios from "./scenarios.mjs";

const [name, url, options] = process.argv.slice(2);
const { executable, flags, profile, screenshots } = JSON.parse(options);
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: executable,
  args: flags,
  viewport: { width: 1100, height: 720 },
});
browser.setDefaultTimeout(60000);
const faults = [];

const harness = {
  url,
  say,
  told,

  /** A new tab that shows the welcome page. */
  async tab() {
    const page = await browser.newPage();
    page.on("pageerror", (error) => faults.push(String(error)));
    await page.goto(url);
    return page;
  },

  /** A new tab whose visitor has joined a room. */
  async visitor(visitorName, room) {
    const page = await harness.tab();
    await harness.signIn(page, visitorName, room);
    await page.locator("#status.online").waitFor();
    await page.locator("#members li", { hasText: visitorName }).waitFor();
    return page;
  },

  async signIn(page, visitorName, room) {
    await page.fill("#name", visitorName);
    await page.fill("#room", room);
    await page.click("#sign-in .primary");
  },

  /** Write a message and send it. */
  async says(page, text) {
    await page.fill("#text", text);
    await page.press("#text", "Enter");
  },

  /** Wait until an element shows a text. */
  async shows(page, selector, text) {
    await page.locator(selector, { hasText: text }).first().waitFor();
  },

  /** The texts of all elements. */
  async texts(page, selector) {
    return page.locator(selector).allInnerTexts();
  },

  /** Keep a picture, when the test asked for pictures. */
  async picture(page, title) {
    if (screenshots) await page.screenshot({ path: `${screenshots}/${title}.png` });
  },
};

await run(
  async () => {
    const result = await scenarios[name](harness);
    if (faults.length > 0) throw new Error(`on the page: ${faults.join("; ")}`);
    return result;
  },
  () => browser.close(),
);
