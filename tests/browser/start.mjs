// A visitor opens each example from the start page, in a real browser, and uses it.
//
//   node start.mjs URL OPTIONS(json: executable, flags, profile, pictures)
//
// With `pictures` the folder gets NAME-light.png and NAME-dark.png of each example, which the start page shows.
import { chromium } from "playwright-core";
import { run } from "../support/program.mjs";

const [url, options] = process.argv.slice(2);
const { executable, flags, profile, pictures } = JSON.parse(options);
const size = { width: 960, height: 600 };
const browser = await chromium.launchPersistentContext(profile, { executablePath: executable, args: flags, viewport: size });
browser.setDefaultTimeout(60000);
const faults = [];

async function tab(path = "") {
  const page = await browser.newPage();
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("response", (response) => response.status() >= 400 && faults.push(`${response.status()} ${response.url()}`));
  await page.goto(`${url}/${path}`);
  return page;
}

/** Open an example by its card. */
async function opened(name) {
  const page = await tab();
  await page.click(`.example[href='${name}/']`);
  await page.waitForURL(`**/${name}/`);
  return page;
}

const shows = (page, selector, text) => page.locator(selector, { hasText: text }).first().waitFor();
async function says(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

const play = {
  async chat() {
    const people = [];
    for (const name of ["Ada", "Ben", "Cleo"]) {
      const page = people.length ? await tab("chat/") : await opened("chat");
      await page.fill("#name", name);
      await page.fill("#room", "lobby");
      await page.click("#sign-in .primary");
      await shows(page, "#members li", name);
      people.push(page);
    }
    const [ada, ben, cleo] = people;
    await says(ben, "The train goes through a tunnel in a minute.");
    await shows(ada, ".message .text", "tunnel");
    await says(ada, "No matter, you will have caught up after it.");
    await shows(cleo, ".message .text", "caught up");
    await cleo.type("#text", "See");
    await shows(ada, "#typing", "Cleo is typing");
    return ada;
  },
  async board() {
    const people = [];
    for (const name of ["Ada", "Ben", "Cleo"]) {
      const page = people.length ? await tab("board/") : await opened("board");
      await page.fill("#name", name);
      await page.fill("#password", "kanban");
      await page.click(".primary");
      await page.locator(".status.online").waitFor();
      people.push(page);
    }
    const [ada, ben] = people;
    await ada.locator(".present li").nth(2).waitFor();
    await ben.getByLabel("Move Redirect the old addresses", { exact: true }).focus();
    for (const key of ["Space", "ArrowRight", "ArrowUp"]) await ben.keyboard.press(key);
    await shows(ada, "[data-column='2'] .item.held", "Redirect");
    return ada;
  },
  async stream() {
    const page = await opened("stream");
    await page.locator(".status.online").waitFor();
    await says(page, "What happens when I reload this page?");
    await page.waitForFunction(() => document.querySelector(".text")?.textContent.split(/\s+/).length >= 40);
    return page;
  },
  async authorised_chat() {
    const ada = await opened("authorised_chat");
    await ada.click("text=Sign in as Ada");
    const ben = await tab("authorised_chat/?token=ben-token");
    for (const page of [ada, ben]) {
      await page.click("[data-chat='1']");
      await shows(page, "#title", "Everybody");
    }
    await says(ben, "May I stay?");
    await shows(ada, "#messages .text", "May I stay?");
    await says(ada, "As long as you behave.");
    await shows(ben, "#messages .text", "As long");
    await ada.locator("[aria-label='Remove Ben']").waitFor();
    return ada;
  },
  async bridge() {
    const page = await opened("bridge");
    await page.locator("iframe[name=websocket]").waitFor();
    const ann = page.frame("socketio");
    const ben = page.frame("websocket");
    for (const frame of [ann, ben]) {
      await shows(frame, "#status.online", "in the room");
      await shows(frame, "#present", /Ann\s*Ben/);
    }
    await says(ann, "Can you read me without a library?");
    await shows(ben, ".message .text", "without a library");
    await says(ben, "Every word.");
    await shows(ann, ".message .text", "Every word");
    return page;
  },
  room_chat: () => rooms("room_chat"),
  typed_chat: () => rooms("typed_chat"),
};

async function rooms(name) {
  const one = await opened(name);
  const other = await tab(`${name}/`);
  for (const page of [one, other]) {
    await page.click("#join button");
    await shows(page, "#state.online", "in general");
  }
  await shows(one, ".notice", "joined");
  await says(one, "Is anybody here?");
  await shows(other, ".message .text", "anybody");
  await says(other, "Two of us.");
  await shows(one, ".message .text", "Two of us");
  return one;
}

async function picture(page, name) {
  if (!pictures) return;
  await page.setViewportSize(size);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: `${pictures}/${name}-${colorScheme}.png`, animations: "disabled" });
  }
}

await run(
  async () => {
    const start = await tab();
    const cards = await start.locator(".example").evaluateAll((all) => all.map((card) => card.getAttribute("href").replace("/", "")));
    const images = await start.locator(".example img").evaluateAll((all) => all.filter((image) => image.complete && image.naturalWidth).length);
    let wide = 0;
    for (const width of [1200, 390]) {
      await start.setViewportSize({ width, height: 760 });
      wide += await start.evaluate(() => Number(document.documentElement.scrollWidth > innerWidth));
    }
    for (const name of cards) await picture(await play[name](), name);
    if (faults.length > 0) throw new Error(`on the pages: ${faults.join("; ")}`);
    return { cards, images, wide };
  },
  () => browser.close(),
);
