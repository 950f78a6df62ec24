// Looks at the built site of the documentation in a real browser, without any network.
//
//   node site.mjs FOLDER PAGES(json) OPTIONS(json: executable, flags, profile, screenshots)
//
// The browser gets the files of FOLDER in place of a server's answers. What the site asks of other hosts is refused, and reported.
import { existsSync, statSync } from "node:fs";
import { chromium } from "playwright-core";
import { run } from "../support/program.mjs";

const [folder, pages, options] = process.argv.slice(2);
const { executable, flags, profile, screenshots } = JSON.parse(options);
const SITE = "http://docs.example/";
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: executable,
  args: flags,
  viewport: { width: 1200, height: 900 },
});
browser.setDefaultTimeout(60000);
const foreign = [];
const faults = [];

await browser.route("**/*", (route) => {
  const address = new URL(route.request().url());
  if (!address.href.startsWith(SITE)) {
    foreign.push(address.href);
    return route.abort();
  }
  const path = folder + decodeURIComponent(address.pathname);
  if (existsSync(path) && statSync(path).isFile()) return route.fulfill({ path });
  faults.push(`no file for ${address.pathname}`);
  return route.fulfill({ status: 404 });
});

async function opened(path, colorScheme = "light") {
  const page = await browser.newPage();
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.emulateMedia({ colorScheme });
  await page.goto(SITE + path);
  return page;
}

/** The colour behind the text of the page. */
const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const picture = async (page, name) => {
  if (screenshots) await page.screenshot({ path: `${screenshots}/site-${name}.png` });
};

await run(
  async () => {
    const diagrams = {};
    for (const path of JSON.parse(pages)) {
      const page = await opened(path);
      const all = page.locator(".mermaid");
      const count = await all.count();
      for (let index = 0; index < count; index++) await all.nth(index).locator("svg").first().waitFor();
      diagrams[path] = await all.evaluateAll((each) =>
        each.map((one) => [...one.querySelectorAll("svg :is(text, foreignObject)")].map((text) => text.textContent).join(" ")),
      );
      await all.first().scrollIntoViewIfNeeded();
      await picture(page, path.replaceAll("/", "-"));
      await page.close();
    }

    const home = await opened("index.html");
    const shown = await home.locator("article img:visible").evaluateAll((all) => all.map((one) => one.naturalWidth));
    const cards = await home.locator(".sd-card-title").allInnerTexts();
    const light = await background(home);
    await picture(home, "home-light");
    const dark = await opened("index.html", "dark");
    const colours = [light, await background(dark)];
    await picture(dark, "home-dark");

    const search = await opened("search.html?q=acknowledgement");
    await search.locator("#search-results li a").first().waitFor();
    const found = await search.locator("#search-results li a").allInnerTexts();
    await picture(search, "search");

    const code = await opened("howto/emit.html");
    const copies = await code.locator("button.copybtn").count();

    // On a phone the tables with long cells are as wide as the page, and each cell says of which column it is.
    const phone = {};
    for (const path of ["reference/options.html", "reference/compatibility.html", "howto/from-flask-socketio.html", "howto/frontends.html"]) {
      const page = await opened(path);
      await page.setViewportSize({ width: 390, height: 844 });
      phone[path] = await page.locator("table.by-row").evaluateAll((all) => ({
        tables: all.length,
        wide: all.filter((table) => table.getBoundingClientRect().right > innerWidth).length,
        column: getComputedStyle(all[0].querySelector("td[data-column]"), "::before").content,
      }));
      await page.locator("table.by-row").first().scrollIntoViewIfNeeded();
      await picture(page, `phone-${path.replaceAll("/", "-")}`);
      await page.close();
    }

    return { diagrams, shown, cards, colours, found, copies, phone, foreign, faults };
  },
  () => browser.close(),
);
