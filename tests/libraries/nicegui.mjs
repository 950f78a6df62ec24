// Visits the NiceGUI page in a real browser.
//
//   node nicegui.mjs URL OPTIONS(json: executable, flags, profile)
import { chromium } from "playwright-core";
import { run } from "../support/program.mjs";

const [url, options] = process.argv.slice(2);
const { executable, flags, profile } = JSON.parse(options);
const browser = await chromium.launchPersistentContext(profile, { executablePath: executable, args: flags });
browser.setDefaultTimeout(60000);

async function visit() {
  const faults = [];
  const page = await browser.newPage();
  page.on("pageerror", (error) => faults.push(String(error)));
  const sockets = [];
  page.on("websocket", (socket) => sockets.push(new URL(socket.url()).pathname));
  await page.goto(url);
  const shows = (selector, text) => page.locator(selector, { hasText: text }).waitFor();
  await shows(".answer", "waiting");
  await page.getByRole("button", { name: "Press" }).click();
  await shows(".answer", "pressed 1");
  await page.getByRole("button", { name: "Press" }).click();
  await shows(".answer", "pressed 2");
  await page.locator(".name input").fill("Ada");
  await shows(".greeting", "Hello Ada");
  return { sockets, faults };
}

await run(visit, () => browser.close());
