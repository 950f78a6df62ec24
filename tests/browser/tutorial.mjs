// A reader does what the pages of the tutorial say under "Try it", in a real browser.
//
//   node tutorial.mjs PAGE OPTIONS(json: executable, flags, client, pictures)
//
// It begins when it is told the URL of the application. The script of Socket.IO comes from `client`, a file, in place of its address on the internet. With `pictures` the folder
// gets the pictures that the tutorial shows.
import { chromium } from "playwright-core";
import { run, say, told } from "../support/program.mjs";

const [name, options] = process.argv.slice(2);
const { executable, flags, client, pictures } = JSON.parse(options);
const size = { width: 720, height: 460 };
const browser = await chromium.launch({ executablePath: executable, args: flags });
const firstWindow = await newWindow();
const faults = [];
const url = await told();

/** A window that shares no connections with others, as a private one. */
async function newWindow() {
  const context = await browser.newContext({ viewport: size });
  context.setDefaultTimeout(60000);
  await context.route("https://cdn.socket.io/**", (route) => route.fulfill({ path: client, contentType: "text/javascript" }));
  // The pages' ten seconds without a connection end when the test says so.
  await context.addInitScript(() => {
    const later = window.setTimeout;
    window.setTimeout = (run, delay, ...rest) => (delay === 10_000 ? ((window.leaveTunnel = run), 0) : later(run, delay, ...rest));
  });
  return context;
}

const leavesTunnel = (page) => page.evaluate(() => leaveTunnel());

async function tab(path = "/", window = firstWindow) {
  const page = await window.newPage();
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(`${url}${path}`);
  return page;
}

const shows = (page, selector, text) => page.locator(selector, { hasText: text }).first().waitFor();
const status = (page, text) => shows(page, "#status", text);
const texts = (page, selector) => page.locator(selector).allInnerTexts();
const questions = (page) => texts(page, "#questions .text");
const voteFor = (page, text) => page.locator("#questions li", { hasText: text }).locator("button");

async function online(path) {
  const page = await tab(path);
  await status(page, "online");
  return page;
}

async function asks(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

async function signIn(page, person, code = "teatime") {
  await page.fill("#name", person);
  await page.fill("#code", code);
  await page.click("#sign-in button");
}

async function visitor(person, window = firstWindow) {
  const page = await tab("/?topic=lunch", window);
  await signIn(page, person);
  await status(page, "online");
  await shows(page, "#people", person);
  return page;
}

/** Stop the server, from which the pages come back sooner than they do by themselves. */
async function stopServer(...open) {
  for (const page of open) await page.evaluate(() => socket.io.reconnectionDelay(100).reconnectionDelayMax(200));
  say("stop");
  await told();
}
async function startServer() {
  say("start");
  await told();
}

async function fitsAPhone(page) {
  await page.setViewportSize({ width: 390, height: 700 });
  if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) throw new Error("the page is wider than a phone");
  await page.setViewportSize(size);
}

/** The page fits a phone; and the tutorial gets its picture of it. */
async function looks(page, title, colorScheme = "light") {
  await fitsAPhone(page);
  if (!pictures) return;
  await page.evaluate(() => document.activeElement?.blur());
  await page.emulateMedia({ colorScheme });
  await page.screenshot({ path: `${pictures}/${title}.png`, animations: "disabled" });
}

const pages = {
  async "first-events"() {
    const one = await online();
    const other = await online();
    await asks(one, "Is <b>this</b> on?");
    await shows(one, "#questions li", "Is <b>this</b> on?");
    await shows(other, "#questions li", "Is <b>this</b> on?");
    await stopServer(one, other);
    await status(other, "offline");
    await startServer();
    await status(other, "online");
    await asks(other, "Are we back?");
    await shows(one, "#questions li", "Are we back?");
    await looks(one, "first-events");
    return await texts(one, "#questions li");
  },

  async messages() {
    const one = await online();
    const other = await online();
    await asks(one, "Hi");
    await shows(one, "#error", "text: String should have at least 3 characters");
    const kept = await one.inputValue("#text");
    await asks(one, "Where do we eat?");
    await shows(other, "#questions .text", "Where do we eat?");
    await voteFor(other, "Where do we eat?").click();
    await shows(one, "#questions button", "▲ 1");
    const errors = await texts(one, "#error");
    await stopServer(one, other);
    await status(one, "offline");
    await startServer();
    await status(one, "online");
    await voteFor(one, "Where do we eat?").click();
    await shows(one, "#error", "This question is not on the board any more.");
    await looks(one, "messages");
    return { kept, errors };
  },

  async rooms() {
    const one = await online();
    const other = await online();
    await one.click("text=lunch");
    await shows(one, "nav .here", "lunch");
    await status(one, "online");
    await asks(one, "Soup or salad?");
    await shows(one, "#questions .text", "Soup or salad?");
    await asks(other, "Who has the key?");
    await shows(other, "#questions .text", "Who has the key?");
    const apart = [await questions(one), await questions(other)];
    await other.click("text=lunch");
    await shows(other, "#questions .text", "Soup or salad?");
    await other.reload();
    await shows(other, "#questions .text", "Soup or salad?");
    const secrets = await tab("/?topic=secrets");
    await shows(secrets, "#error", "topic: Input should be 'general', 'lunch' or 'release'");
    await asks(secrets, "Anybody?");
    await shows(secrets, "#error", "topic: Input should be");
    await fitsAPhone(one);
    return apart;
  },

  async users() {
    const ada = await tab("/?topic=lunch");
    await signIn(ada, "Ada", "coffee");
    await shows(ada, "#sign-in-error", "This is not the code of the team.");
    await looks(ada, "sign-in", "dark");
    await signIn(ada, "Ada");
    await shows(ada, "#people", "Here: Ada");
    const ben = await visitor("Ben");
    for (const page of [ada, ben]) await shows(page, "#people", "Here: Ada, Ben");
    await asks(ada, "Soup or salad?");
    await voteFor(ben, "Soup or salad?").click();
    await shows(ada, "#questions button", "▲ 1");
    await ben.locator("#questions button:disabled").waitFor();
    await asks(ben, "Does somebody know how long the kitchen is open on Fridays?");
    await shows(ada, "#questions .author", "Ben");
    await looks(ada, "board");
    await ben.close();
    await ada.waitForFunction(() => document.getElementById("people").textContent === "Here: Ada");
    await ada.reload();
    await shows(ada, "#people", "Here: Ada");
    return await questions(ada);
  },

  async tests() {
    const ada = await visitor("Ada");
    await asks(ada, "Soup or salad?");
    await voteFor(ada, "Soup or salad?").click();
    await shows(ada, "#error", "This is your own question.");
    return await texts(ada, "#questions button");
  },

  async fastapi() {
    const ada = await visitor("Ada");
    for (const number of [1, 2, 3, 4, 5, 6]) {
      await asks(ada, `Question ${number}?`);
      await shows(ada, "#questions .text", `Question ${number}?`);
    }
    await stopServer(ada);
    await status(ada, "offline");
    await startServer();
    await status(ada, "online");
    await ada.waitForFunction(() => document.querySelectorAll("#questions li").length === 5);
    await ada.click("#earlier");
    await shows(ada, "#questions .text", "Question 1?");
    say("curl");
    await shows(ada, "#questions .author", "the oven");
    await fitsAPhone(ada);
    return await questions(ada);
  },

  async recovery() {
    const ada = await visitor("Ada");
    const ben = await visitor("Ben");
    await shows(ada, "#people", "Here: Ada, Ben");
    await asks(ada, "Soup or salad?");
    await shows(ben, "#questions .text", "Soup or salad?");
    await ben.click("#tunnel");
    await status(ben, "offline");
    await asks(ada, "Who brings the plates?");
    await asks(ben, "Is the train still in the tunnel?");
    await shows(ada, "#questions .text", "Who brings the plates?");
    await looks(ben, "offline");
    await leavesTunnel(ben);
    await shows(ben, "#banner", "Back, with what was asked meanwhile: 1.");
    for (const page of [ada, ben]) await shows(page, "#questions .text", "tunnel");
    const people = await texts(ada, "#people");
    await stopServer(ada, ben);
    await status(ben, "offline");
    await startServer();
    for (const page of [ada, ben]) {
      await shows(page, "#banner", "Back. The list is loaded anew.");
      await page.waitForFunction(() => document.querySelectorAll("#questions li").length === 3);
    }
    return { people, ada: (await questions(ada)).sort(), ben: (await questions(ben)).sort() };
  },

  async workers() {
    const served = async (page) => {
      await shows(page, "#worker", "Served by process");
      return await page.innerText("#worker");
    };
    const ada = await visitor("Ada");
    let window = await newWindow();
    let ben = await visitor("Ben", window);
    for (let windows = 1; (await served(ben)) === (await served(ada)); windows++) {
      if (windows === 30) throw new Error(`all windows are ${await served(ada)}`);
      await window.close();
      window = await newWindow();
      ben = await visitor("Ben", window);
    }
    for (const page of [ada, ben]) await shows(page, "#people", "Here: Ada, Ben");
    await asks(ada, "Soup or salad?");
    await voteFor(ben, "Soup or salad?").click();
    await shows(ada, "#questions button", "▲ 1");
    await ben.click("#tunnel");
    await status(ben, "offline");
    await asks(ada, "Who is back?");
    await shows(ada, "#questions .text", "Who is back?");
    await leavesTunnel(ben);
    await shows(ben, "#banner", "Back, with what was asked meanwhile: 1.");
    await shows(ben, "#questions .text", "Who is back?");
    await fitsAPhone(ben);
    return await questions(ben);
  },
};

await run(
  async () => {
    const result = await pages[name]();
    if (faults.length > 0) throw new Error(`on the page: ${faults.join("; ")}`);
    return result;
  },
  () => browser.close(),
);
